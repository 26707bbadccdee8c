package test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/deploy/parts"
	"github.com/orderfleet/orderfleet/shared/ledger"
)

// cluster is three NATS servers, each a process of its own that can be killed.
type cluster struct {
	*testing.T
	args  [members][]string
	urls  [members]string
	parts [members]*parts.Process
}

const members = 3

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{T: t}
	clients, routes := freePorts(t, members), freePorts(t, members)
	for i := range members {
		c.urls[i] = fmt.Sprintf("nats://127.0.0.1:%d", clients[i])
		c.args[i] = []string{
			"--dir", t.TempDir(), "--shards", fmt.Sprint(troubledShards), "--name", memberName(i), "--port", fmt.Sprint(clients[i]),
			"--cluster", "test", "--cluster-port", fmt.Sprint(routes[i]),
		}
		for _, port := range routes {
			if port != routes[i] {
				c.args[i] = append(c.args[i], "--route", fmt.Sprintf("nats://127.0.0.1:%d", port))
			}
		}
		c.start(i)
	}
	t.Cleanup(func() {
		for _, p := range c.parts {
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
		}
	})
	return c
}

func memberName(i int) string { return fmt.Sprint("n", i) }

func (c *cluster) start(i int) {
	c.Helper()
	var err error
	if c.parts[i], err = parts.Spawn(context.Background(), &parts.NATSReady{}, parts.NATS, c.args[i]...); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) kill(i int) {
	c.Helper()
	if err := c.parts[i].Kill(); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) servers() string { return strings.Join(c.urls[:], ",") }

// freePorts finds free ports of the loopback interface.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // it only held the port
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// replicated makes a ledger of three replicas.
func replicated(s *ledger.Settings) { s.Replicas = members }

// ledgerStreams are the streams that the fleet lives by.
var ledgerStreams = []string{ledger.StreamName(0), ledger.StreamName(1), "KV_" + ledger.FleetBucket}

// info reads a stream's state once it has a leader and all replicas have everything.
func (s *site) info(js jetstream.JetStream, stream string) *jetstream.StreamInfo {
	s.Helper()
	var info *jetstream.StreamInfo
	s.until(stream+" has a leader and current replicas", func() bool {
		ctx, cancel := context.WithTimeout(s.Context(), time.Second)
		defer cancel()
		found, err := js.Stream(ctx, stream)
		if err != nil {
			return false
		}
		info = found.CachedInfo()
		if info.Cluster.Leader == "" || len(info.Cluster.Replicas) != members-1 {
			return false
		}
		for _, r := range info.Cluster.Replicas {
			if r.Offline || !r.Current {
				return false
			}
		}
		return true
	})
	return info
}

// TestLeaderStepsDown: the leaders of all streams change under load, again and again.
func TestLeaderStepsDown(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := troubled(t, c.servers(), replicated)
	s.work()
	js := s.producer.Ledger().JetStream()
	l := s.load(8)
	for range 3 {
		for _, stream := range ledgerStreams {
			l.acknowledged(50)
			s.info(js, stream)
			if _, err := js.Conn().Request("$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil, 2*time.Second); err != nil {
				t.Log(stream, err) // it may not have been heard; then the leader stays
			}
		}
	}
	l.acknowledged(200)
	receipts, refused := l.stop()
	if len(refused) > 0 {
		t.Errorf("%d refused, the first with %v", len(refused), refused[0])
	}
	s.settle(receipts)
}

// TestLeaderKilled: a server that leads dies, one after another of them, and each comes
// back.
func TestLeaderKilled(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := troubled(t, c.servers(), replicated)
	s.work()
	js := s.producer.Ledger().JetStream()
	l := s.load(8)
	for _, stream := range ledgerStreams {
		l.acknowledged(100)
		leader := s.info(js, stream).Cluster.Leader
		for i := range members {
			if memberName(i) != leader {
				continue
			}
			began := time.Now()
			c.kill(i)
			l.acknowledged(100)
			t.Logf("the leader of %s died; 100 publishes later: %s", stream, time.Since(began))
			c.start(i)
		}
	}
	l.acknowledged(200)
	receipts, refused := l.stop()
	if len(refused) > 0 {
		t.Errorf("%d refused, the first with %v", len(refused), refused[0])
	}
	s.settle(receipts)
}
