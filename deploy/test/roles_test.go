package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/natsserver"
)

// bordered is a fleet on a NATS server that runs as "fleetctl nats" says. Everybody is a
// program that has its role's credentials and nothing else.
type bordered struct {
	*vaulted
	folder, certs, log string
	url                string // of the NATS server
	jwt                bool
}

// users are a user of each role, and those of three tenants, each of a shard of its own.
var users = []struct{ role, name string }{
	{"worker", "w"}, {"operator", "ann"}, {"observer", "bob"}, {"prices", "feed"}, {"producer", "acme"}, {"producer", "delta"}, {"producer", "gamma"},
}

// border makes a configuration by the commands, starts a server with it, and provisions it.
func border(t *testing.T, jwt bool) *bordered {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	b := &bordered{
		vaulted: &vaulted{system: &system{TB: t}, bin: bin, dir: dir, identity: filepath.Join(dir, "identity.txt"), env: []string{"PATH=" + os.Getenv("PATH")}},
		folder:  filepath.Join(dir, "nats"), certs: filepath.Join(dir, "certs"), log: filepath.Join(dir, "log"), jwt: jwt,
	}
	b.must("fleetctl", "", "nats", "certs", "--to", b.certs, "--host", "127.0.0.1")
	config := []string{"nats", "config", "--folder", b.folder, "--host", "nats-0", "--shards", "4", "--store", filepath.Join(dir, "store"), "--monitor=false",
		"--cert", b.certs + "/server.pem", "--key", b.certs + "/server.key", "--ca", b.certs + "/ca.pem"}
	if jwt {
		config = append(config, "--jwt")
	}
	b.must("fleetctl", "", config...)
	for _, u := range users {
		b.must("fleetctl", "", "nats", "user", "add", "--folder", b.folder, "--role", u.role, u.name, "--to", b.secret(u.name))
	}
	t.Setenv("NATS_NAME", "nats-0")
	srv, err := natsserver.StartFile(filepath.Join(b.folder, "server.conf"), func(o *natsd.Options) {
		o.Host, o.Port, o.JetStreamMaxStore, o.LogFile = "127.0.0.1", natsd.RANDOM_PORT, 1<<30, b.log
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	b.url = strings.Replace(srv.URL(), "nats://", "tls://", 1)
	b.be("w")
	b.env = append(b.env, "ORDERFLEET_LEDGER_SHARDS=4")
	b.must("worker", "", "provision")
	nc, err := natsconn.Dial(t.Context(), "the judge", b.options("w"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	b.system = assemble(t, nc, paper.Config{})
	return b
}

func (b *bordered) secret(name string) string { return filepath.Join(b.folder, name+".secret") }

func (b *bordered) options(name string) natsconn.Options {
	o := natsconn.Options{URL: b.url, CA: b.certs + "/ca.pem", NKey: b.secret(name)}
	if b.jwt {
		o.Creds, o.NKey = o.NKey, ""
	}
	return o
}

// be has the programs that are run next be somebody's, as "bob", or "bob signing as ann".
func (b *bordered) be(name string) {
	name, signer, signs := strings.Cut(name, " signing as ")
	o := b.options(name)
	b.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "NATS_URL=" + o.URL, "NATS_CA=" + o.CA, "NATS_CREDS=" + o.Creds, "NATS_NKEY=" + o.NKey}
	if signs {
		b.env = append(b.env, "ORDERFLEET_SIGNING_KEY="+b.secret(signer))
	}
}

// key is a user's public key.
func (b *bordered) key(name string) string {
	b.Helper()
	for line := range strings.Lines(b.must("fleetctl", "", "nats", "user", "list", "--folder", b.folder, "-o", "json")) {
		var u struct{ Name, Key string }
		if err := json.Unmarshal([]byte(line), &u); err != nil {
			b.Fatal(err)
		}
		if u.Name == name {
			return u.Key
		}
	}
	b.Fatalf("there is no user %s", name)
	return ""
}

// violations are the lines of the server's log that tell of one.
func (b *bordered) violations() (lines []string) {
	b.Helper()
	log, err := os.ReadFile(b.log)
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "Violation") {
			lines = append(lines, line)
		}
	}
	return lines
}

// act is a command of somebody, and what it says.
type act struct {
	who, program, stdin string
	args                string // words, or what stands between quotes
	code                int
	says                string
}

// words splits a command line.
func words(line string) (all []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
			continue
		}
		all = append(all, strings.Fields(part)...)
	}
	return all
}

func (b *bordered) play(acts []act) {
	b.Helper()
	for _, a := range acts {
		b.be(a.who)
		if code, out, problems := b.run(a.program, a.stdin, words(a.args)...); code != a.code || !strings.Contains(out+problems, a.says) {
			b.Errorf("%s: %s %s: exit code %d with %q, wanted %d with %q", a.who, a.program, a.args, code, out+problems, a.code, a.says)
		}
	}
}

// watch runs "producer watch" until it has shown so many lines.
func (b *bordered) watch(least int, args ...string) string {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "producer"), append([]string{"watch"}, args...)...)
	var said lines
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = b.env, b.dir, &said, &said
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	for ctx.Err() == nil && strings.Count(said.String(), "\n") < least {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	_ = cmd.Process.Signal(syscall.SIGINT)
	_ = cmd.Wait()
	if n := strings.Count(said.String(), "\n"); n < least {
		b.Errorf("watch %v shows %d of %d lines: %s", args, n, least, said.String())
	}
	return said.String()
}

// TestEverybodysWholeJob: the programs themselves do all that they are for, each with its
// role's credentials alone, and the server refuses nobody anything. Then an observer, and
// tenants, try what is not theirs: each is refused at once, and told what and why.
func TestEverybodysWholeJob(t *testing.T) {
	for _, mode := range []string{"nkeys", "jwt"} {
		t.Run(mode, func(t *testing.T) {
			b := border(t, mode == "jwt")
			b.prepare()
			workers := b.twoWorkers()
			b.work()
			b.decide()
			b.settle()
			b.look()
			for _, w := range workers {
				b.end(w)
				if !strings.Contains(w.log.String(), "/v2/orders") {
					t.Error("one of the workers that share the pool traded for nobody")
				}
			}
			if refused := b.violations(); len(refused) > 0 {
				t.Errorf("the server refused somebody what he is for: %s", refused)
			}
			b.refused()
		})
	}
}

// prepare makes tenants, their limits, a pool and their keys.
func (b *bordered) prepare() {
	b.Helper()
	b.be("ann")
	ann := strings.TrimSpace(b.must("fleetctl", "", "operator", "key"))
	acme, recipient := b.key("acme"), b.keygen()
	if err := os.WriteFile(filepath.Join(b.dir, "tenants.yaml"), []byte("tenants:\n  gamma: {broker: "+b.system.url+", labels: {kind: late}}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	b.play([]act{
		{"ann", "fleetctl", "", "operator add ann " + ann + " --reason first", 0, "ann is an operator"},
		{"ann", "fleetctl", "", "operator add acme " + acme + " --tenant acme --reason own", 0, "acme may change the credential of acme"},
		{"ann", "fleetctl", "", "recipient add " + recipient + " --reason first", 0, "is a recipient"},
		{"ann", "fleetctl", "", "pool set desk --requests 1200 --window 1m --reason ours", 0, "pool desk is set"},
		{"ann", "fleetctl", "", "tenant add acme --broker " + b.system.url + " --pool desk --label kind=early --reason new", 0, "acme"},
		{"ann", "fleetctl", "", "tenant add delta --broker " + b.system.url + " --reason new", 0, "delta"},
		{"ann", "fleetctl", "", "tenant set delta --pool desk --weight 2 --reason shares", 0, "delta"},
		{"ann", "fleetctl", "", "tenant import tenants.yaml --reason more", 0, "1 tenants are registered"},
		{"ann", "fleetctl", "", "limits set --all --max-qty 100 --reason policy", 0, ""},
		{"ann", "fleetctl", "", "limits set acme --collar-percent 50 --price-max-age 1h --reason policy", 0, ""},
		{"ann", "fleetctl", "delta-secret\n", "credential set delta --key-id delta --reason new", 0, "delta: key_pair"},
		{"ann", "fleetctl", "", "tenant set gamma --pool desk --reason shares", 0, "gamma"},
		{"ann", "fleetctl", "gamma-secret\n", "credential set gamma --key-id gamma --reason new", 0, "gamma: key_pair"},
	})
}

// twoWorkers starts two worker programs, and returns when they share the shards.
func (b *bordered) twoWorkers() (workers []*program) {
	b.Helper()
	b.be("w")
	for range 2 {
		workers = append(workers, b.serve("ORDERFLEET_LOOKUP_SETTLE=100ms", "ORDERFLEET_LOOKUP_GRACE=200ms"))
	}
	b.be("bob")
	b.until("both serve", func() bool {
		var s struct {
			Members []struct{ Shards int } `json:"members"`
		}
		_, out, _ := b.run("fleetctl", "", "status", "-o", "json")
		return json.Unmarshal([]byte(out), &s) == nil && len(s.Members) == 2 && s.Members[0].Shards == 2 && s.Members[1].Shards == 2
	})
	return workers
}

const buy = " --qty 1 --side buy --type limit --limit-price 1.25 --tif day "

// work has the tenants trade, as their settings, limits and prices say.
func (b *bordered) work() {
	b.Helper()
	orders := filepath.Join(b.dir, "orders.jsonl")
	var lines bytes.Buffer
	for n := range 20 {
		fmt.Fprintf(&lines, `{"tenant":"delta","id":"i%d","kind":"order","order":{"symbol":"F","qty":"1","side":"buy","type":"market","time_in_force":"day"}}`+"\n", n)
	}
	if err := os.WriteFile(orders, lines.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	b.play([]act{
		{"acme", "producer", "acme-secret\n", "credential set acme --key-id acme", 0, "acme: key_pair"},
		{"acme", "producer", "", "credential show acme", 0, "by the tenant itself"},
		{"acme", "producer", "", "publish acme --id early --symbol AAPL" + buy + "--wait", 1, "price_collar"},
		{"feed", "fleetctl", "AAPL 1.20\nF 12\n", "price import", 0, "2 prices"},
		{"feed", "fleetctl", "", "price set MSFT 400", 0, "MSFT"},
	})
	b.be("acme")
	b.until("the workers have the price", func() bool {
		code, _, _ := b.run("producer", "", words("publish acme --symbol AAPL"+buy+"--wait")...)
		return code == 0
	})
	if err := b.broker.IssueKey("acme", "acme-rotated", "rotated"); err != nil {
		b.Fatal(err)
	}
	b.play([]act{
		{"acme", "producer", "", "publish acme --id market --symbol F --qty 1 --side buy --type market --tif day --until filled", 0, "buy 1 F"},
		{"acme", "producer", "", "publish acme --id large --symbol F --qty 101 --side buy --type market --tif day --wait", 1, "max_qty"},
		{"delta", "producer", "", "import orders.jsonl", 0, "20 published"},
		{"delta", "producer", "", "import orders.jsonl", 0, "0 published, 20 on the ledger already"},
		{"gamma", "producer", "", "publish gamma --symbol AAPL" + buy + "--wait", 0, "accepted"},
		{"acme", "producer", "rotated\n", "credential set acme --key-id acme-rotated --reason drill", 0, "key_pair"},
	})
	b.broker.RevokeKey("acme")
	b.play([]act{{"acme", "producer", "", "publish acme --id rotated --symbol AAPL" + buy + "--wait", 0, "accepted"}})
	b.be("delta")
	b.watch(40, "delta", "--from-seq", "1", "--updates") // each is accepted and filled
	b.be("acme")
	if all := b.watch(4, "acme", "--since", "1h"); !strings.Contains(all, "rotated") || strings.Contains(all, "delta") {
		b.Errorf("acme watches %s", all)
	}
}

// decide throws the switch, and shows it.
func (b *bordered) decide() {
	b.Helper()
	b.play([]act{
		{"ann", "fleetctl", "", "pause delta --reason drill", 0, "confirmed"},
		{"delta", "producer", "", "publish delta --id waits --symbol AAPL" + buy + "--expires-in 1h", 0, "waits"},
		{"ann", "fleetctl", "", "explain delta waits", 0, "paused"},
		{"ann", "fleetctl", "", "resume delta --reason drill", 0, "confirmed"},
		{"ann", "fleetctl", "", "halt --all --cancel-open --reason drill", 0, "confirmed"},
		{"delta", "producer", "", "publish delta --id halted --symbol AAPL" + buy + "--wait", 1, "halted"},
		{"ann", "fleetctl", "", "resume --all --reason drill", 0, "confirmed"},
		{"ann", "fleetctl", "", "reduce-only --label kind=late --until 1h --reason drill", 0, "confirmed"},
		{"delta", "producer", "", "publish delta --id again --symbol AAPL" + buy + "--wait", 0, "accepted"},
		{"ann", "fleetctl", "", "release acme --reason looked", 0, "acme is released"},
		{"ann", "fleetctl", "", "credential reseal --all --always --reason drill", 0, "3 of 3 sealed anew"},
	})
}

// settle has an intent fail, and drives it again.
func (b *bordered) settle() {
	b.Helper()
	b.fault(paper.Fault{Account: "delta", Operation: paper.Place, Kind: paper.Reset, When: paper.Before},
		paper.Fault{Account: "delta", Operation: paper.Lookup, Kind: paper.Error, Status: 503})
	b.play([]act{{"delta", "producer", "", "publish delta --id fails --symbol AAPL" + buy + "--expires-in 1s --wait", 1, "failed"}})
	b.broker.ClearFaults()
	b.play([]act{
		{"bob", "fleetctl", "", "failed list", 0, "fails"},
		{"bob", "fleetctl", "", "failed show delta fails", 0, "503"},
		{"ann", "fleetctl", "", "failed retry delta fails --reason back --yes", 0, "accepted"},
		{"ann", "fleetctl", "", "failed drop delta --reason late --yes", 0, ""},
	})
}

// look has an operator and an observer look at everything.
func (b *bordered) look() {
	b.Helper()
	var acts []act
	for _, who := range []string{"ann", "bob"} {
		for _, c := range []struct{ args, says string }{
			{"status", "w"},
			{"history", "drill"},
			{"history acme", "by the tenant itself"},
			{"audit", "no violation"},
			{"audit acme", "no violation"},
			{"explain acme market", "accepted"},
			{"replay acme", "market"},
			{"replay gamma --to shadow", "2 ended as then"},
			{"export --to " + who + ".export", "messages of the ledger"},
			{"failed list --all", "fails"},
			{"tenant list", "gamma"},
			{"tenant show acme", "desk"},
			{"limits show --all", "100"},
			{"pool list", "desk"},
			{"pool show desk", "acme"},
			{"price show", "MSFT"},
			{"operator list", "acme"},
			{"recipient list", "age1"},
			{"credential show acme", "drill"},
		} {
			acts = append(acts, act{who, "fleetctl", "", c.args, 0, c.says})
		}
	}
	b.play(append(acts, act{"ann", "fleetctl", "", "reconcile acme delta", 0, "2 tenants reconciled"}))
}

// refused has somebody try what is not his. Each is told so in a moment, in one line.
func (b *bordered) refused() {
	b.Helper()
	denied := func(who, subject string) string {
		if b.jwt {
			return fmt.Sprintf("does not let %s publish to %q", who, subject)
		}
		role, name, _ := strings.Cut(who, " ")
		return fmt.Sprintf("does not let %s_%s publish to %q", strings.ToUpper(role), name, subject)
	}
	l := b.producer.Ledger()
	acme, delta := l.ShardOf("acme"), l.ShardOf("delta")
	for _, a := range []act{
		{"bob", "fleetctl", "", "tenant add zeta --broker paper --reason r", 1, "none of the operators'"},
		{"bob signing as ann", "fleetctl", "", "tenant add zeta --broker paper --reason r", 1, denied("observer bob", "$KV.TENANTS.tenant.zeta")},
		{"bob signing as ann", "fleetctl", "", "limits set --all --max-qty 5 --reason r", 1, denied("observer bob", "$KV.TENANTS.limits.all")},
		{"bob signing as ann", "fleetctl", "", "halt --all --reason r", 1, denied("observer bob", "$KV.TENANTS.switch.all")},
		{"bob signing as ann", "fleetctl", "", "pool set other --requests 5 --reason r", 1, denied("observer bob", "$KV.TENANTS.pool.other")},
		{"bob", "fleetctl", "", "release acme --reason r", 1, denied("observer bob", fmt.Sprintf("controls.%d.acme", acme))},
		{"bob", "fleetctl", "", "reconcile acme", 1, denied("observer bob", fmt.Sprint("inquiries.", acme))},
		{"bob", "fleetctl", "", "price set AAPL 1", 1, denied("observer bob", "$KV.PRICES.AAPL")},
		{"bob", "fleetctl", "AAPL 1\n", "price import", 1, denied("observer bob", "$KV.PRICES.AAPL")},
		{"ann", "fleetctl", "", "price set AAPL 1", 1, denied("operator ann", "$KV.PRICES.AAPL")},
		{"bob", "producer", "", "publish acme --symbol AAPL" + buy, 1, "does not permit publishing"},
		{"acme", "producer", "", "publish delta --symbol AAPL" + buy, 1, "does not permit publishing"},
		{"acme", "fleetctl", "", "release acme --reason r", 1, denied("producer acme", fmt.Sprintf("controls.%d.acme", acme))},
		{"acme", "producer", "s\n", "credential set acme --key-id acme --reason r", 1, "written by a worker; is one running"},
		{"acme signing as ann", "producer", "s\n", "credential set delta --key-id acme --reason r", 1, denied("producer acme", "LEDGER.API.DIRECT.GET.KV_TENANTS.$KV.TENANTS.tenant.delta")},
		{"acme", "fleetctl", "", "release delta --reason r", 1, denied("producer acme", fmt.Sprintf("controls.%d.delta", delta))},
		{"acme", "producer", "", "credential show delta", 1, denied("producer acme", "LEDGER.API.DIRECT.GET.KV_TENANTS.$KV.TENANTS.credential.delta")},
	} {
		before := len(b.violations())
		b.be(a.who)
		code, out, problems := b.run(a.program, a.stdin, words(a.args)...)
		if code != a.code || !strings.Contains(out+problems, a.says) {
			b.Errorf("%s: %s %s: exit code %d with %s%s, wanted %q", a.who, a.program, a.args, code, out, problems, a.says)
		}
		if strings.Count(problems, "\n") != 1 || strings.Contains(problems, "nats: permissions violation") {
			b.Errorf("%s: %s %s says it in more than one line: %s", a.who, a.program, a.args, problems)
		}
		if strings.Contains(a.says, "does not") && len(b.violations()) == before {
			b.Errorf("%s: %s %s: the server's log tells of no violation", a.who, a.program, a.args)
		}
	}
}
