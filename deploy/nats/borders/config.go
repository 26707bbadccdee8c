package borders

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// quote is a string of the server's configuration.
func quote(s string) string { return strconv.Quote(s) }

// list is a list of strings, one a line.
func list(items []string, indent string) string {
	var b strings.Builder
	b.WriteString("[\n")
	for _, s := range items {
		b.WriteString(indent + "  " + quote(s) + "\n")
	}
	b.WriteString(indent + "]")
	return b.String()
}

// mapping is an account's mapping of intents to shards.
func mapping(shards int) string {
	from, to := ledger.Mapping(shards)
	return fmt.Sprintf("    mappings = { %q: %q }\n", from, to)
}

// writeUser writes a user's block of a list of users.
func (u User) writeUser(b *strings.Builder, shards int) {
	publish, subscribe := u.permissions(shards)
	fmt.Fprintf(b, "      { nkey: %s, permissions {\n          publish: { allow: %s }\n          subscribe: { allow: %s }\n      } }\n",
		quote(u.Key), list(publish, "          "), list(subscribe, "          "))
}

// Block is what has to be added to a server's accounts for a user that is no worker.
func (u User) Block(shards int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s { # %s\n", u.account(), u)
	if u.maps() {
		b.WriteString(mapping(shards))
	}
	b.WriteString("    imports = [\n")
	for _, r := range u.imports(shards) {
		fmt.Fprintf(&b, "      { service: { account: %s, subject: %s }", LedgerAccount, quote(r.subject))
		if r.local != r.subject {
			fmt.Fprintf(&b, ", to: %s", quote(r.local))
		}
		b.WriteString(" }\n")
	}
	b.WriteString("    ]\n    users = [\n")
	u.writeUser(&b, shards)
	b.WriteString("    ]\n  }\n")
	return b.String()
}

// writeAccounts writes the accounts of plain users.
func writeAccounts(w io.Writer, shards int, system string, users []User) error {
	var b strings.Builder
	b.WriteString("# Written by \"fleetctl nats\", from users.json. Change that by \"fleetctl nats user\".\n\naccounts {\n")
	fmt.Fprintf(&b, "  # The ledger. Who is in here sees and writes all of it: workers, and nobody else.\n  %s {\n    jetstream: enabled\n", LedgerAccount)
	b.WriteString("\n    # Where publishes go: the shard of their tenant. The number is ORDERFLEET_LEDGER_SHARDS,\n" +
		"    # and like it never changes once there is data; \"worker provision\" checks that it is live.\n")
	b.WriteString(mapping(shards))
	b.WriteString("\n    # What other accounts may be let ask. Their imports say which of them may ask what.\n    exports = [\n")
	for _, e := range exports() {
		fmt.Fprintf(&b, "      { service: %s", quote(e.subject))
		if e.stream {
			b.WriteString(", response: stream")
		}
		if e.within > 0 {
			fmt.Fprintf(&b, ", threshold: %s", quote(e.within.String()))
		}
		b.WriteString(" }\n")
	}
	b.WriteString("    ]\n    users = [\n")
	for _, u := range users {
		if u.Role == Worker {
			fmt.Fprintf(&b, "      # %s\n", u)
			u.writeUser(&b, shards)
		}
	}
	b.WriteString("    ]\n  }\n\n  # Everybody else is alone in an account.\n")
	for _, u := range users {
		if u.Role != Worker {
			b.WriteString(u.Block(shards))
		}
	}
	fmt.Fprintf(&b, "\n  SYSTEM { users = [ { nkey: %s } ] }\n}\nsystem_account: SYSTEM\n", quote(system))
	_, err := io.WriteString(w, b.String())
	return err
}

// Server is what a server's configuration says beside who may do what.
type Server struct {
	// Names of all servers, which are also their hosts' names.
	Names []string `json:"names"`
	// StoreDir is where JetStream keeps the ledger.
	StoreDir string `json:"store_dir"`
	// Monitor has each server answer /healthz and /jsz on its own machine.
	Monitor bool `json:"monitor"`
	// Cert, Key and CA are the files of the server's certificate, its key, and of the authority
	// that signed it, and the other servers'.
	Cert string `json:"cert"`
	Key  string `json:"key"`
	CA   string `json:"ca"`
}

// write writes the configuration of all servers. What differs between them is in the environment.
func (s Server) write(w io.Writer, identities string) error {
	var b strings.Builder
	tls := func(indent string, verify bool) {
		fmt.Fprintf(&b, "%stls {\n%s  cert_file: %s\n%s  key_file: %s\n%s  ca_file: %s\n", indent, indent, quote(s.Cert), indent, quote(s.Key), indent, quote(s.CA))
		if verify {
			fmt.Fprintf(&b, "%s  verify: true\n", indent)
		}
		fmt.Fprintf(&b, "%s}\n", indent)
	}
	fmt.Fprintf(&b, head, len(s.Names), s.Names[0])
	b.WriteString("server_name: $NATS_NAME\nlisten: \"0.0.0.0:4222\"\n")
	if s.Monitor {
		b.WriteString("https: \"127.0.0.1:8222\" # /healthz and /jsz, for probes on this machine\n")
	}
	b.WriteString("\n# Nobody speaks to this server in clear. Clients prove who they are by their keys, and need no\n# certificates.\n")
	tls("", false)
	fmt.Fprintf(&b, store, quote(s.StoreDir))
	if len(s.Names) > 1 {
		b.WriteString("\ncluster {\n  name: orderfleet\n  listen: \"0.0.0.0:6222\"\n\n  # A server is who has a certificate of our authority.\n")
		tls("  ", true)
		b.WriteString("  routes = [\n")
		for _, n := range s.Names {
			fmt.Fprintf(&b, "    %s\n", quote("nats-route://"+n+":6222"))
		}
		b.WriteString("  ]\n}\n")
	}
	b.WriteString(identities)
	_, err := io.WriteString(w, b.String())
	return err
}

const head = `# One of %d NATS servers for a fleet in production, as "fleetctl nats config" writes it. The same
# file serves all of them: what differs between them is in the environment.
#
#   NATS_NAME=%s nats-server --config server.conf
#
# It holds no secret: users prove who they are by signing with keys that only they have.

`

const store = `
jetstream {
  store_dir: %s

  # Sync before acknowledging. By default a JetStream server acknowledges a write when the
  # operating system has it, and syncs it to disk within two minutes. What it acknowledged
  # in that time is gone if enough machines lose power together, and independent tests of
  # NATS 2.12.1 (Jepsen) lost acknowledged writes so. An acknowledged intent that is gone is
  # an order that nobody makes.
  #
  # With replicas the servers sync their Raft logs, which each batch of writes shares: it
  # costs far less than with one server. Keep the streams' persist_mode at its default, too:
  # async would give this away again. "worker provision" leaves it there.
  sync_interval: always

  # Less than the disk has: a server whose disk is full stops taking writes until it is
  # started anew, where one at this limit refuses them and goes on when there is room.
  max_file_store: 100GB
  max_memory_store: 1GB # consumers are kept in memory
}
`
