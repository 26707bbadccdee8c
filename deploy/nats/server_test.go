// Package nats_test holds the shipped NATS configuration to what it says.
package nats_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/natsserver"
	"github.com/orderfleet/orderfleet/shared/order"
)

const servers = 3

// configure reads the file as one of the servers does.
func configure(t *testing.T, n int) *server.Options {
	t.Helper()
	for _, who := range []string{"WORKER", "PRODUCER", "SYSTEM"} {
		t.Setenv("NATS_"+who+"_PASSWORD", "secret-of-"+who)
	}
	t.Setenv("NATS_NAME", fmt.Sprint("nats-", n))
	o, err := server.ProcessConfigFile("server.conf")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTheConfigurationIsForProduction(t *testing.T) {
	o := configure(t, 1)
	if !o.JetStream || !o.SyncAlways || o.JetStreamMaxStore <= 0 {
		t.Errorf("JetStream %v, sync always %v, at most %d bytes", o.JetStream, o.SyncAlways, o.JetStreamMaxStore)
	}
	if o.ServerName != "nats-1" || len(o.Routes) != servers {
		t.Errorf("%s with routes %v", o.ServerName, o.Routes)
	}
	for _, u := range o.Users {
		if u.Password == "" {
			t.Errorf("user %s has no password", u.Username)
		}
	}
}

// TestTheServersStart starts all three as the file says, but for where they listen and
// store. Provisioning, a publish, and its outcome work; a producer writes no outcomes.
func TestTheServersStart(t *testing.T) {
	servers := start(t)
	worker := connect(t, servers, "worker", "secret-of-WORKER")
	settings := ledger.DefaultSettings()
	settings.Replicas = 3
	patience, enough := context.WithTimeout(t.Context(), time.Minute)
	defer enough()
	for { // the cluster elects its leaders in its own time
		ctx, cancel := context.WithTimeout(patience, 2*time.Second)
		_, err := ledger.Provision(ctx, worker, settings)
		cancel()
		if err == nil {
			break
		}
		if !ledger.Transient(err) || patience.Err() != nil {
			t.Fatal(err)
		}
	}
	p, err := producer.New(t.Context(), connect(t, servers, "producer", "secret-of-PRODUCER"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Publish(t.Context(), "acme", order.Intent{Kind: order.KindCancelAll})
	if err != nil {
		t.Fatal(err)
	}
	outcome := &order.Outcome{IntentID: r.ID, IntentSeq: r.Seq, Status: order.Accepted, Kind: order.KindCancelAll, Worker: "w", Epoch: 1}
	if err := write(t, p.Ledger(), r, outcome); !errors.Is(err, jetstream.ErrAsyncPublishTimeout) {
		t.Errorf("a producer that writes an outcome gets %v", err)
	}
	l, err := ledger.Open(t.Context(), worker)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(t, l, r, outcome); err != nil {
		t.Error(err)
	}
	if got, err := p.Await(t.Context(), r); err != nil || got.IntentID != r.ID {
		t.Errorf("outcome %+v: %v", got, err)
	}
}

// write writes an outcome as its tenant's first.
func write(t *testing.T, l *ledger.Ledger, r producer.Receipt, o *order.Outcome) error {
	t.Helper()
	f, err := l.Append(r.Shard, r.Tenant, o, 0)
	if err != nil {
		return err
	}
	select {
	case <-f.Ok():
		return nil
	case err := <-f.Err():
		return err
	}
}

// start starts all servers and returns where the first one is.
func start(t *testing.T) string {
	t.Helper()
	ports, err := natsserver.FreePorts(servers)
	if err != nil {
		t.Fatal(err)
	}
	var routes []string
	for _, port := range ports {
		routes = append(routes, fmt.Sprintf("nats-route://127.0.0.1:%d", port))
	}
	var running [servers]*server.Server
	for n := range servers {
		o := configure(t, n)
		o.Host, o.Port, o.Cluster.Host, o.Cluster.Port = "127.0.0.1", server.RANDOM_PORT, "127.0.0.1", ports[n]
		o.HTTPPort, o.StoreDir, o.JetStreamMaxStore = 0, t.TempDir(), 1<<30
		o.Routes = server.RoutesFromStr(strings.Join(routes, ","))
		o.NoLog, o.NoSigs = true, true
		s, err := server.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		running[n] = s
	}
	for _, s := range running {
		if !s.ReadyForConnections(30 * time.Second) {
			t.Fatal("a server does not start")
		}
	}
	return running[0].ClientURL()
}

func connect(t *testing.T, servers, user, password string) *nats.Conn {
	t.Helper()
	nc, err := natsconn.Dial(t.Context(), "a test", natsconn.Options{URL: servers, User: user, Password: password}, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}
