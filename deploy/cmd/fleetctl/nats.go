package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/deploy/nats/borders"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/spf13/cobra"
)

// bordering is what the commands about a NATS server's users share.
type bordering struct {
	*common
	folder string
}

func newNATS(c *common) *cobra.Command {
	b := &bordering{common: c}
	cmd := cli.Command(&cobra.Command{
		Use:   "nats",
		Short: "Write the configuration of the NATS servers: who may do what, and their keys",
		Long: `Writes the configuration of the NATS servers of a fleet into a folder, and keeps the list of who
may do what there. No command overwrites a key. deploy/nats/README.md tells what each role may do,
and how a change gets to running servers.`,
		Example: `  fleetctl nats certs --to certs --host nats-0 --host nats-1 --host nats-2
  fleetctl nats config --folder nats --host nats-0 --host nats-1 --host nats-2
  fleetctl nats user add --folder nats --role worker w --to w.nk
  fleetctl nats user add --folder nats acme --to acme.nk
  fleetctl nats user list --folder nats`,
	})
	user := cli.Command(&cobra.Command{
		Use:     "user",
		Short:   "Add, list and remove users",
		Example: "  fleetctl nats user add acme --to acme.nk\n  fleetctl nats user add --role operator ann --to ann.nk\n  fleetctl nats user remove acme",
	})
	user.AddCommand(newUserAdd(b), newUserList(b), newUserRemove(b))
	cmd.PersistentFlags().StringVar(&b.folder, "folder", "nats", "where the configuration is")
	cmd.AddCommand(newNATSConfig(b), newNATSRefresh(b), newNATSCerts(b), newNATSPush(b), user)
	return cmd
}

func newNATSConfig(b *bordering) *cobra.Command {
	var (
		server borders.Server
		signed bool
		shards int
	)
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Make a new configuration, for one server or a cluster",
		Long: `Makes a folder with server.conf, which is the same for all servers, and accounts.conf, which it
includes. keys/ has what nobody but you may read: the key of the servers' own user; with --jwt also
those that sign. It makes no users: "fleetctl nats user add" does, a worker first.`,
		Example: `  fleetctl nats config --host nats-0 --host nats-1 --host nats-2
  fleetctl nats config --host nats-0 --jwt --shards 16 --store /data/nats
  fleetctl nats config --host nats-0 --cert /etc/nats/tls.crt --key /etc/nats/tls.key --ca /etc/nats/ca.crt`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(server.Names) == 0 {
				return cli.Usagef("--host: name the servers, as they reach each other")
			}
			if shards < 1 || shards > 256 {
				return cli.Usagef("--shards: %d is not 1 to 256", shards)
			}
			mode := borders.Plain
			if signed {
				mode = borders.Signed
			}
			if _, err := borders.Create(b.folder, mode, shards, server); err != nil {
				return err
			}
			return b.say(cmd, map[string]any{"folder": b.folder, "mode": mode},
				fmt.Sprintf("wrote %s; now add a worker: fleetctl nats user add --folder %s --role worker NAME --to worker.nk\n", filepath.Join(b.folder, "server.conf"), b.folder))
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&server.Names, "host", nil, "a server's host name; repeat it for each server of a cluster")
	flags.IntVar(&shards, "shards", ledger.DefaultSettings().Shards, "ORDERFLEET_LEDGER_SHARDS")
	flags.BoolVar(&signed, "jwt", false, "users bring JWTs that an operator's key signed, rather than being listed")
	flags.StringVar(&server.StoreDir, "store", "/data/nats", "where the servers keep the ledger")
	flags.BoolVar(&server.Monitor, "monitor", true, "answer probes on each server's own machine")
	flags.StringVar(&server.Cert, "cert", "/etc/nats/server.pem", "the servers' certificate, on their machines")
	flags.StringVar(&server.Key, "key", "/etc/nats/server.key", "its key, on their machines")
	flags.StringVar(&server.CA, "ca", "/etc/nats/ca.pem", "the authority that signed it, on their machines")
	return cmd
}

func newNATSRefresh(b *bordering) *cobra.Command {
	return &cobra.Command{
		Use:     "refresh",
		Short:   "Write a configuration again, as this release knows what each role needs",
		Example: "  fleetctl nats refresh --folder nats",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := borders.Open(b.folder)
			if err != nil {
				return err
			}
			if err := f.Refresh(); err != nil {
				return err
			}
			return b.say(cmd, map[string]any{"folder": b.folder}, fmt.Sprintf("wrote %s again; %s\n", b.folder, spread(f.Mode())))
		},
	}
}

func newNATSCerts(b *bordering) *cobra.Command {
	var (
		to    string
		hosts []string
		valid time.Duration
	)
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "Make certificates for development: an authority, and a certificate of the servers",
		Long: `Makes ca.pem, server.pem and server.key. The authority's key is thrown away: for another server
make all anew. In production certificates come from whoever issues yours.`,
		Example: "  fleetctl nats certs --to certs --host nats-0 --host nats-1 --host nats-2 --host localhost",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" || len(hosts) == 0 {
				return cli.Usagef("--to and --host: say where to put the files, and by what names the servers are reached")
			}
			if err := borders.Certs(to, hosts, valid); err != nil {
				return err
			}
			return b.say(cmd, map[string]any{"folder": to, "hosts": hosts},
				fmt.Sprintf("wrote ca.pem, server.pem and server.key to %s, valid for %s; programs need ca.pem alone (NATS_CA)\n", to, strings.Join(hosts, ", ")))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&to, "to", "", "a folder for the files")
	flags.StringArrayVar(&hosts, "host", nil, "a host name or address of a server; repeat it for each")
	flags.DurationVar(&valid, "valid", 90*24*time.Hour, "for how long they are valid")
	return cmd
}

// spread is how a change gets to the servers.
func spread(m borders.Mode) string {
	if m == borders.Signed {
		return "tell the servers: fleetctl nats push"
	}
	return "copy accounts.conf to the servers and have each reload it, twice: nats-server --signal reload"
}

func newNATSPush(b *bordering) *cobra.Command {
	return &cobra.Command{
		Use:   "push",
		Short: "Tell running servers of all accounts, if the configuration is one of JWTs",
		Long: `Tells running servers of all accounts. It connects as the servers' own user: give
keys/system.creds of the folder, by --creds or NATS_CREDS.`,
		Example: "  fleetctl nats push --server tls://nats-0:4222 --creds nats/keys/system.creds",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := borders.Open(b.folder)
			if err != nil {
				return err
			}
			if f.Mode() != borders.Signed {
				return cli.Usagef("%s lists its users: there is nothing to push; %s", b.folder, spread(f.Mode()))
			}
			nc, err := natsconn.Dial(cmd.Context(), "orderfleet fleetctl", b.nats)
			if err != nil {
				return err
			}
			defer nc.Close()
			if err := f.Push(cmd.Context(), nc); err != nil {
				return err
			}
			return b.say(cmd, map[string]any{"pushed": len(f.Users())}, "the servers know of all accounts\n")
		},
	}
}

// say prints what was done, for people or for machines.
func (b *bordering) say(cmd *cobra.Command, it any, text string) error {
	if b.output == cli.JSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(it)
	}
	_, err := fmt.Fprint(cmd.OutOrStdout(), text)
	return err
}
