package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
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

func newUserAdd(b *bordering) *cobra.Command {
	var role, to string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user, and print its credentials; without a role NAME is a tenant that produces",
		Long: `Adds a user and prints its credentials, once: no copy of them is kept. They are what NATS_NKEY
names a file of or, if the configuration is one of JWTs, NATS_CREDS.

Then have the servers reload their configuration, or push it if it is one of JWTs.`,
		Example: `  fleetctl nats user add acme > acme.nk
  fleetctl nats user add --role operator ann --to ann.nk
  fleetctl nats user add --role worker w -o json`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			r, err := borders.ParseRole(role)
			if err != nil {
				return cli.Usage(err)
			}
			if err := (borders.User{Role: r, Name: names[0]}).Validate(); err != nil {
				return cli.Usage(err)
			}
			f, err := borders.Open(b.folder)
			if err != nil {
				return err
			}
			var file *os.File
			if to != "" { // before there is a user whose credentials nobody has
				if file, err = os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
					return fmt.Errorf("the file for the credentials: %w", err)
				}
				defer file.Close() //nolint:errcheck // it was closed if all went well
			}
			u, secret, err := f.Add(r, names[0])
			if err != nil {
				if file != nil {
					err = errors.Join(err, os.Remove(to)) // it is empty
				}
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is in %s; %s\n", u, b.folder, spread(f.Mode()))
			switch {
			case file != nil:
				if _, err = file.Write(secret); err == nil {
					err = file.Close()
				}
				if err == nil && b.output == cli.JSON {
					err = json.NewEncoder(cmd.OutOrStdout()).Encode(u)
				}
				return err
			case b.output == cli.JSON:
				return json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
					borders.User
					Credentials string `json:"credentials"`
				}{u, string(secret)})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", secret)
			return err
		},
	}
	cmd.Flags().StringVar(&role, "role", string(borders.Producer), fmt.Sprintf("one of %v", borders.Roles()))
	cmd.Flags().StringVar(&to, "to", "", "a new file for the credentials, rather than standard output")
	return cmd
}

// spread is how a change gets to the servers.
func spread(m borders.Mode) string {
	if m == borders.Signed {
		return "tell the servers: fleetctl nats push"
	}
	return "copy accounts.conf to the servers and have each reload it, twice: nats-server --signal reload"
}

func newUserList(b *bordering) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the users and their public keys",
		Example: "  fleetctl nats user list\n  fleetctl nats user list -o json",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := borders.Open(b.folder)
			if err != nil {
				return err
			}
			if b.output == cli.JSON {
				return printLines(cmd, f.Users())
			}
			for _, u := range f.Users() {
				fmt.Fprintf(cmd.OutOrStdout(), "%-9s %-24s %s\n", u.Role, u.Name, u.Key)
			}
			return nil
		},
	}
}

func newUserRemove(b *bordering) *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:     "remove NAME",
		Short:   "Remove a user: servers that know of it let it in no more, and end its connections",
		Example: "  fleetctl nats user remove acme\n  fleetctl nats user remove --role operator ann",
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			r, err := borders.ParseRole(role)
			if err != nil {
				return cli.Usage(err)
			}
			f, err := borders.Open(b.folder)
			if err != nil {
				return err
			}
			if err := f.Remove(r, names[0]); err != nil {
				return err
			}
			return b.say(cmd, map[string]any{"removed": names[0], "role": r}, fmt.Sprintf("%s %s is out; %s\n", r, names[0], spread(f.Mode())))
		},
	}
	cmd.Flags().StringVar(&role, "role", string(borders.Producer), fmt.Sprintf("one of %v", borders.Roles()))
	return cmd
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
