package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/natsserver"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
)

// bordered is a NATS server that runs as "fleetctl nats" says, behind whose borders everybody
// works.
type bordered struct {
	*testing.T
	folder, certs, log string
	url                string
	jwt                bool
}

// border makes a configuration by the commands, and starts a server with it.
func border(t *testing.T, jwt bool) *bordered {
	t.Helper()
	dir := t.TempDir()
	b := &bordered{T: t, folder: filepath.Join(dir, "nats"), certs: filepath.Join(dir, "certs"), log: filepath.Join(dir, "log"), jwt: jwt}
	b.must("nats", "certs", "--to", b.certs, "--host", "127.0.0.1")
	config := []string{"nats", "config", "--folder", b.folder, "--host", "nats-0", "--store", filepath.Join(dir, "store"), "--monitor=false",
		"--cert", b.certs + "/server.pem", "--key", b.certs + "/server.key", "--ca", b.certs + "/ca.pem"}
	if jwt {
		config = append(config, "--jwt")
	}
	b.must(config...)
	for _, who := range []string{"worker w", "operator ann", "observer bob", "producer acme"} {
		role, name, _ := strings.Cut(who, " ")
		b.must("nats", "user", "add", "--folder", b.folder, "--role", role, name, "--to", b.secret(role))
	}
	t.Setenv("NATS_NAME", "nats-0")
	srv, err := natsserver.StartFile(filepath.Join(b.folder, "server.conf"), func(o *server.Options) {
		o.Host, o.Port, o.JetStreamMaxStore, o.LogFile = "127.0.0.1", server.RANDOM_PORT, 1<<30, b.log
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	b.url = strings.Replace(srv.URL(), "nats://", "tls://", 1)
	return b
}

func (b *bordered) must(args ...string) {
	b.Helper()
	if code, out, problems := run(b.T, args...); code != 0 {
		b.Fatalf("%v: %d %s%s", args, code, out, problems)
	}
}

func (b *bordered) secret(role string) string { return filepath.Join(b.folder, role+".secret") }

// be makes a role's user the one of the environment.
func (b *bordered) be(role string) natsconn.Options {
	b.Helper()
	o := natsconn.Options{URL: b.url, CA: b.certs + "/ca.pem"}
	if b.jwt {
		o.Creds = b.secret(role)
	} else {
		o.NKey = b.secret(role)
	}
	for name, value := range map[string]string{"NATS_URL": o.URL, "NATS_CA": o.CA, "NATS_CREDS": o.Creds, "NATS_NKEY": o.NKey} {
		b.Setenv(name, value)
	}
	return o
}

func (b *bordered) connect(role string) *nats.Conn {
	b.Helper()
	nc, err := natsconn.Dial(b.Context(), role, b.be(role))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	return nc
}

// violations are the lines of the server's log that tell of one.
func (b *bordered) violations() (all []string) {
	b.Helper()
	log, err := os.ReadFile(b.log)
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "Violation") {
			all = append(all, line)
		}
	}
	return all
}

// work provisions the ledger and serves it, with a paper broker, as a worker.
func (b *bordered) work() {
	b.Helper()
	nc := b.connect("worker")
	if _, err := ledger.Provision(b.Context(), nc, ledger.DefaultSettings()); err != nil {
		b.Fatal(err)
	}
	var listening net.ListenConfig
	api, err := listening.Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	admin, err := listening.Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	brokers, ended := make(chan error, 1), make(chan error, 1)
	go func() { brokers <- paper.New(paper.Config{Tick: -1, RateLimit: paper.Unlimited}).Run(ctx, api, admin) }()
	url := "http://" + api.Addr().String()
	client := func(name string) (*alpaca.Client, error) {
		return alpaca.New(alpaca.Config{Tenant: name, BaseURL: url, Credentials: tenant.Credentials{KeyID: name, Secret: "secret"},
			Logger: zerolog.New(io.Discard).Level(zerolog.WarnLevel)})
	}
	l, err := ledger.Open(b.Context(), nc)
	if err != nil {
		b.Fatal(err)
	}
	reg := registry.New(l, func(c registry.Change) { b.Errorf("a change that does not count: %v", c.Err) })
	registered := make(chan error, 1)
	go func() { registered <- reg.Run(ctx) }()
	serving := make(chan int, ledger.DefaultSettings().Shards)
	go func() {
		ended <- worker.Run(ctx, nil, nc, worker.Config{
			Name: "w", Settle: 10 * time.Millisecond, Grace: 200 * time.Millisecond, Log: zerolog.Nop(),
			Connect: func(_ context.Context, name string) (broker.Line, error) {
				c, err := client(name)
				return broker.Line{Client: c, Address: url}, err
			},
			Books:    func(_ context.Context, name string) (broker.Books, error) { return client(name) },
			Registry: reg,
			Serving:  func(shard int) { serving <- shard },
		})
	}()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			b.Errorf("the worker ended with %v", err)
		}
		if err := <-registered; !errors.Is(err, context.Canceled) {
			b.Errorf("the registry ended with %v", err)
		}
		if err := <-brokers; err != nil {
			b.Error(err)
		}
	})
	for range ledger.DefaultSettings().Shards {
		select {
		case <-serving:
		case <-time.After(time.Minute):
			b.Fatal("the worker does not serve all shards")
		}
	}
}

// TestEverybodysWholeJob: worker, producer, operator and observer do all that they are for,
// each with its credentials alone, and the server refuses nobody anything.
func TestEverybodysWholeJob(t *testing.T) {
	for _, jwt := range []bool{false, true} {
		name := "nkeys"
		if jwt {
			name = "jwt"
		}
		t.Run(name, func(t *testing.T) {
			b := border(t, jwt)
			b.work()
			p, err := producer.New(t.Context(), b.connect("producer"))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			one := decimal.NewFromInt(1)
			r, err := p.Publish(ctx, "acme", order.Intent{ID: "one", Kind: order.KindOrder,
				Order: &order.Order{Symbol: "F", Qty: &one, Side: order.Buy, Type: order.Market, TimeInForce: order.Day}})
			if err != nil {
				t.Fatal(err)
			}
			if life, err := p.AwaitUntil(ctx, r, producer.UntilFilled); err != nil || !life.Filled {
				t.Fatalf("%+v: %v", life, err)
			}
			export := filepath.Join(t.TempDir(), "export")
			for _, tc := range []struct {
				role string
				args []string
				says string
			}{
				{"observer", []string{"status"}, "w "},
				{"observer", []string{"audit"}, "1 intents"},
				{"observer", []string{"replay", "acme"}, "one"},
				{"observer", []string{"export", "--to", export}, "messages of the ledger"},
				{"observer", []string{"failed", "list"}, "no failed intents"},
				{"operator", []string{"status"}, "w "},
				{"operator", []string{"explain", "acme", "one"}, "accepted"},
				{"operator", []string{"audit", "acme"}, "1 intents"},
				{"operator", []string{"reconcile", "acme"}, "1 tenants reconciled"},
				{"operator", []string{"release", "acme", "--reason", "looked"}, "acme is released"},
				{"operator", []string{"failed", "list"}, "no failed intents"},
				{"operator", []string{"operator", "list"}, "nobody"},
				{"operator", []string{"tenant", "add", "beta", "--broker", "paper", "--reason", "new"}, "beta"},
				{"operator", []string{"pause", "beta", "--reason", "a drill"}, "confirmed"},
				{"operator", []string{"history"}, "a drill"},
				{"observer", []string{"history"}, "a drill"},
				{"observer", []string{"tenant", "list"}, "beta"},
				{"operator", []string{"replay", "--to", "shadow"}, "1 ended as then"},
			} {
				t.Run(tc.role+" "+tc.args[0], func(t *testing.T) {
					b.be(tc.role)
					if code, out, problems := run(t, tc.args...); code != 0 || !strings.Contains(out+problems, tc.says) {
						t.Errorf("%d, wanted %q: %s%s", code, tc.says, out, problems)
					}
				})
			}
			if refused := b.violations(); len(refused) > 0 {
				t.Errorf("the server refused somebody what he is for: %s", refused)
			}
			b.be("observer") // it may not release anybody
			refused, give := context.WithCancel(ctx)
			go func() { // its answer will never come
				defer give()
				look := time.NewTicker(10 * time.Millisecond)
				defer look.Stop()
				for len(b.violations()) == 0 {
					select {
					case <-look.C:
					case <-ctx.Done():
						return
					}
				}
			}()
			var out bytes.Buffer
			cmd := newRoot()
			cmd.SetArgs([]string{"release", "acme", "--reason", "looked"})
			cmd.SetOut(&out)
			cmd.SetErr(&out)
			if code := cli.Run(refused, cmd); code != 1 || len(b.violations()) == 0 {
				t.Errorf("an observer releases a tenant: %d %s", code, out.String())
			}
			<-refused.Done()
		})
	}
}
