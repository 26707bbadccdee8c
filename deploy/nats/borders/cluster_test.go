package borders_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/nats/borders"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/natsserver"
	"github.com/orderfleet/orderfleet/shared/order"
)

// TestTheShippedConfiguration is what the generator writes for the users in the shipped list,
// whose keys nobody has. It is for production.
func TestTheShippedConfiguration(t *testing.T) {
	dir := t.TempDir()
	list, err := os.ReadFile("../users.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "users.json"), list, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := borders.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Refresh(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"server.conf", "accounts.conf", "users.json"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if have, err := os.ReadFile(filepath.Join("..", name)); err != nil || string(have) != string(want) {
			t.Errorf("deploy/nats/%s is not what the generator writes: %v; fleetctl nats refresh --folder deploy/nats", name, err)
		}
	}
	certs := filepath.Join(t.TempDir(), "certs")
	if err := borders.Certs(certs, []string{"nats-0"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "server.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "server.conf"), []byte(strings.ReplaceAll(string(text), "/etc/nats", certs)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NATS_NAME", "nats-1")
	o, err := server.ProcessConfigFile(filepath.Join(dir, "server.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if !o.JetStream || !o.SyncAlways || o.JetStreamMaxStore <= 0 {
		t.Errorf("JetStream %v, sync always %v, at most %d bytes", o.JetStream, o.SyncAlways, o.JetStreamMaxStore)
	}
	if o.ServerName != "nats-1" || len(o.Routes) != 3 {
		t.Errorf("%s with routes %v", o.ServerName, o.Routes)
	}
	if o.TLSConfig == nil || o.Cluster.TLSConfig == nil || o.HTTPPort != 0 || o.HTTPSPort == 0 {
		t.Error("somebody may speak in clear")
	}
	if len(o.Users) > 0 || len(o.Nkeys) != len(f.Users())+1 {
		t.Errorf("%d users with passwords, %d with keys", len(o.Users), len(o.Nkeys))
	}
}

// TestCluster: three servers start as the configuration says, but for where they listen and
// store. A ledger of three replicas works from within and from behind a border.
func TestCluster(t *testing.T) {
	const servers = 3
	f := &fixture{path: filepath.Join(t.TempDir(), "nats"), certs: filepath.Join(t.TempDir(), "certs"), creds: map[string]natsconn.Options{}}
	if err := borders.Certs(f.certs, []string{"127.0.0.1"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	var err error
	f.Folder, err = borders.Create(f.path, borders.Plain, shards, borders.Server{Names: []string{"nats-0", "nats-1", "nats-2"}, StoreDir: t.TempDir(),
		Cert: filepath.Join(f.certs, "server.pem"), Key: filepath.Join(f.certs, "server.key"), CA: filepath.Join(f.certs, "ca.pem")})
	if err != nil {
		t.Fatal(err)
	}
	f.add(t, borders.Worker, "w")
	f.add(t, borders.Producer, acme)
	ports, err := natsserver.FreePorts(servers)
	if err != nil {
		t.Fatal(err)
	}
	var routes []string
	for _, port := range ports {
		routes = append(routes, fmt.Sprintf("nats-route://127.0.0.1:%d", port))
	}
	started := make(chan *natsserver.Server, servers)
	for n := range servers { // none is ready before it has its peers
		t.Setenv("NATS_NAME", fmt.Sprint("nats-", n))
		o, err := server.ProcessConfigFile(filepath.Join(f.path, "server.conf"))
		if err != nil {
			t.Fatal(err)
		}
		store := t.TempDir()
		go func() {
			srv, err := natsserver.StartFile(filepath.Join(f.path, "server.conf"), func(given *server.Options) {
				*given = *o
				given.Host, given.Port, given.Cluster.Host, given.Cluster.Port = "127.0.0.1", server.RANDOM_PORT, "127.0.0.1", ports[n]
				given.StoreDir, given.JetStreamMaxStore = store, 1<<30
				given.Routes = server.RoutesFromStr(strings.Join(routes, ","))
			})
			if err != nil {
				t.Error(err)
			}
			started <- srv
		}()
	}
	for range servers {
		if f.server = <-started; f.server == nil {
			t.FailNow()
		}
		t.Cleanup(f.server.Stop)
	}
	nc := f.connect(t, "worker w")
	s := ledger.DefaultSettings()
	s.Shards, s.Replicas = shards, servers
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	until(ctx, time.Minute, func() bool { // the cluster elects its leaders in its own time
		trying, enough := context.WithTimeout(ctx, 2*time.Second)
		defer enough()
		_, err = ledger.Provision(trying, nc, s)
		return err == nil || !ledger.Transient(err)
	})
	if err != nil {
		t.Fatal(err)
	}
	if f.ledger, err = ledger.Open(ctx, nc); err != nil {
		t.Fatal(err)
	}
	f.serving(t, f.ledger.ShardOf(acme))
	p, err := producer.New(ctx, f.connect(t, "producer "+acme))
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		r, err := p.Publish(ctx, acme, order.Intent{Kind: order.KindCancelAll})
		if err != nil {
			t.Fatal(err)
		}
		if o, err := p.Await(ctx, r); err != nil || o.IntentID != r.ID {
			t.Fatal(o, err)
		}
	}
	seen := 0
	for _, err := range p.WatchAll(ctx, acme, producer.FromSeq(1)) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 10 {
			break
		}
	}
}

// TestAUserThatLeaves is thrown out by a server that learns of it, and let in by its old key no
// more; with new ones it is.
func TestAUserThatLeaves(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		out := make(chan struct{})
		nc, err := nats.Connect(f.options("producer "+acme).URL, nats.RootCAs(f.options("producer "+acme).CA), f.identity(t, "producer "+acme),
			nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(out) }))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		old := f.creds["producer "+acme]
		if err := f.Remove(borders.Producer, acme); err != nil {
			t.Fatal(err)
		}
		f.publish(t)
		select {
		case <-out:
		case <-time.After(10 * time.Second):
			t.Fatal("it is still in")
		}
		old.URL = f.options("producer " + acme).URL
		if nc, err := natsconn.Dial(t.Context(), "its old keys", old); err == nil {
			nc.Close()
			t.Error("it is let in by its old keys")
		}
		f.add(t, borders.Producer, acme)
		f.publish(t)
		if _, err := ledger.Open(t.Context(), f.connect(t, "producer "+acme)); err != nil {
			t.Errorf("with new keys: %v", err)
		}
		if _, err := ledger.Open(t.Context(), f.connect(t, "producer "+beta)); err != nil {
			t.Errorf("somebody else: %v", err)
		}
	})
}

// publish has the server learn of a change, as the mode has it.
func (f *fixture) publish(t *testing.T) {
	t.Helper()
	if f.Mode() == borders.Plain {
		for range 2 { // server 2.15 gives a new account its imports with the next reload
			if err := f.server.Reload(); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	o := f.options("worker w")
	o.Creds = filepath.Join(f.path, "keys", "system.creds")
	nc, err := natsconn.Dial(t.Context(), "system", o)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := f.Push(t.Context(), nc); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) identity(t *testing.T, who string) nats.Option {
	t.Helper()
	if o := f.creds[who]; o.Creds != "" {
		return nats.UserCredentials(o.Creds)
	}
	opt, err := nats.NkeyOptionFromSeed(f.creds[who].NKey)
	if err != nil {
		t.Fatal(err)
	}
	return opt
}

// TestKeysAreKept: nobody else may read a key, none is overwritten, none is in what servers
// read, and who is added twice keeps his.
func TestKeysAreKept(t *testing.T) {
	for _, mode := range []borders.Mode{borders.Plain, borders.Signed} {
		t.Run(string(mode), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "nats")
			f, err := borders.Create(dir, mode, 1, borders.Server{Names: []string{"nats-0"}, StoreDir: "/data"})
			if err != nil {
				t.Fatal(err)
			}
			added, err := f.Add(borders.Producer, acme, beta)
			if err != nil {
				t.Fatal(err)
			}
			secret := added[0].Secret
			if _, err := borders.Create(dir, mode, 1, borders.Server{Names: []string{"nats-0"}}); err == nil {
				t.Error("a configuration is made over another")
			}
			for _, again := range [][]string{{gamma, acme}, {gamma, gamma}, {gamma, "no.name"}} {
				if _, err := f.Add(borders.Producer, again...); err == nil {
					t.Errorf("%v are added", again)
				}
			}
			if all, err := borders.Open(dir); err != nil || len(all.Users()) != 2 || len(f.Users()) != 2 {
				t.Errorf("of several users some are added: %v %v", f.Users(), err)
			}
			keys, err := os.ReadDir(filepath.Join(dir, "keys"))
			if err != nil || len(keys) == 0 {
				t.Fatal("no keys", err)
			}
			secrets := []string{strings.TrimSpace(string(secret))}
			for _, k := range keys {
				info, err := k.Info()
				if err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s may be read by others: %v %v", k.Name(), info.Mode(), err)
				}
				data, err := os.ReadFile(filepath.Join(dir, "keys", k.Name()))
				if err != nil {
					t.Fatal(err)
				}
				secrets = append(secrets, strings.TrimSpace(string(data)))
			}
			for _, name := range []string{"server.conf", "accounts.conf", "users.json"} {
				data, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range secrets {
					if strings.Contains(string(data), s) {
						t.Errorf("%s has a secret in it", name)
					}
				}
				if name == "users.json" && !json.Valid(data) {
					t.Error("users.json is no JSON")
				}
			}
		})
	}
}
