package parts_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/deploy/parts"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsserver"
)

// Three servers are a cluster: a ledger of three replicas outlives the loss of any one,
// and the lost one comes back at its old address.
func TestCluster(t *testing.T) {
	const servers = 3
	ports, err := natsserver.FreePorts(2 * servers)
	if err != nil {
		t.Fatal(err)
	}
	client, cluster := ports[:servers], ports[servers:]
	dirs, urls := [servers]string{}, [servers]string{}
	for i := range servers {
		dirs[i], urls[i] = t.TempDir(), fmt.Sprintf("nats://127.0.0.1:%d", client[i])
	}
	spawn := func(i int) *parts.Process {
		args := []string{
			"--dir", dirs[i], "--shards", "2", "--sync-always",
			"--name", fmt.Sprint("n", i), "--port", fmt.Sprint(client[i]),
			"--cluster", "test", "--cluster-port", fmt.Sprint(cluster[i]),
		}
		for j := range servers {
			if j != i {
				args = append(args, "--route", fmt.Sprintf("nats://127.0.0.1:%d", cluster[j]))
			}
		}
		var ready parts.NATSReady
		p, err := parts.Spawn(t.Context(), &ready, parts.NATS, args...)
		if err != nil {
			t.Fatal(err)
		}
		if ready.URL != urls[i] {
			t.Errorf("server %d is at %s, not at %s", i, ready.URL, urls[i])
		}
		return p
	}
	var running [servers]*parts.Process
	for i := range servers {
		running[i] = spawn(i)
	}
	defer func() {
		for _, p := range running {
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
		}
	}()

	nc, err := nats.Connect(strings.Join(urls[:], ","), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	settings := ledger.DefaultSettings()
	settings.Shards, settings.Replicas = 2, servers
	until(t, func(ctx context.Context) error { // there is a leader
		_, err := ledger.Provision(ctx, nc, settings)
		return err
	})
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for i := range servers {
		if err := running[i].Kill(); err != nil {
			t.Fatal(err)
		}
		until(t, func(ctx context.Context) error {
			_, err := js.Publish(ctx, ledger.PublishSubject("acme"), []byte("{}"))
			return err
		})
		running[i] = spawn(i)
		until(t, func(ctx context.Context) error {
			stream, err := js.Stream(ctx, "ORDERS_0")
			if err == nil && !caughtUp(stream.CachedInfo().Cluster) {
				err = errors.New("a replica lags behind")
			}
			return err
		})
	}
}

// until tries until it works: a cluster elects its leaders in its own time.
func until(t *testing.T, try func(context.Context) error) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := try(ctx)
		cancel()
		if err == nil {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

// caughtUp says whether every replica has everything.
func caughtUp(c *jetstream.ClusterInfo) bool {
	if c == nil || c.Leader == "" || len(c.Replicas) != 2 {
		return false
	}
	for _, r := range c.Replicas {
		if !r.Current || r.Offline {
			return false
		}
	}
	return true
}

// A frozen part says nothing, and goes on when it is thawed; another program is a part,
// too.
func TestFreeze(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("processes are not frozen there")
	}
	p, err := parts.Start(t.Context(), "cat", exec.CommandContext(t.Context(), "cat"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Freeze(); err != nil {
		t.Error(err)
	}
	if err := p.Thaw(); err != nil {
		t.Error(err)
	}
	if err := p.Terminate(); err != nil {
		t.Error(err)
	}
	if err := p.Wait(); err == nil || !strings.Contains(err.Error(), "cat: signal: terminated") {
		t.Errorf("it ended with %v", err)
	}
}
