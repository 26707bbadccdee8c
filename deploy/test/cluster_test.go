package test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/deploy/parts"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsserver"
)

// cluster is three NATS servers, each a process of its own that can be killed.
type cluster struct {
	testing.TB
	args  [members][]string
	urls  [members]string
	parts [members]*parts.Process
}

const members = 3

func newCluster(t testing.TB, options ...string) *cluster {
	t.Helper()
	c := &cluster{TB: t}
	ports, err := natsserver.FreePorts(2 * members)
	if err != nil {
		t.Fatal(err)
	}
	clients, routes := ports[:members], ports[members:]
	for i := range members {
		c.urls[i] = fmt.Sprintf("nats://127.0.0.1:%d", clients[i])
		c.args[i] = append(options[:len(options):len(options)],
			"--dir", t.TempDir(), "--shards", fmt.Sprint(troubledShards), "--name", memberName(i), "--port", fmt.Sprint(clients[i]),
			"--cluster", "test", "--cluster-port", fmt.Sprint(routes[i]))
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

// TestCluster: under load, the leaders of all streams step down; the server that leads the
// fleet's bucket dies; then two of three die, and nobody can lead. Each time the others go
// on as soon as there are leaders again.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := troubled(t, c.servers(), replicated)
	s.work()
	l := s.load(8)
	for _, stream := range ledgerStreams {
		l.acknowledged(50)
		s.stepDown(stream)
	}
	l.acknowledged(100)
	c.killLeader(s, l)
	l.acknowledged(100)
	c.killTwo(s, l)
	l.acknowledged(100)
	receipts, refused := l.stop()
	if len(refused) > 0 {
		t.Errorf("%d refused, the first with %v", len(refused), refused[0])
	}
	s.settle(receipts)
}

func (s *site) stepDown(stream string) {
	s.Helper()
	js := s.producer.Ledger().JetStream()
	s.info(js, stream)
	if _, err := js.Conn().Request("$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil, 2*time.Second); err != nil {
		s.Errorf("%s: %v", stream, err)
	}
}

// killLeader kills the server that leads the fleet's bucket. Heartbeats run out on time
// before and after, and those from before are seen to be gone under the new leader.
func (c *cluster) killLeader(s *site, l *load) {
	c.Helper()
	bucket := s.producer.Ledger().Bucket(ledger.FleetBucket)
	gone, ended := make(chan string, 1000), make(chan error, 1)
	ctx, cancel := context.WithCancel(c.Context())
	go func() {
		ended <- bucket.Watch(ctx, func(k ledger.KeyChange) error {
			if k.Value == nil {
				gone <- k.Key
			}
			return nil
		})
	}()
	defer func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			c.Error(err)
		}
	}()
	put := func(key string) error {
		ctx, cancel := context.WithTimeout(c.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := bucket.Put(ctx, key, []byte("{}"), 0, time.Second)
		return err
	}
	await := func(what, key string, since time.Time) {
		c.Helper()
		enough := time.After(time.Minute)
		for {
			select {
			case k := <-gone:
				if k == key {
					c.Logf("%s: a heartbeat of one second is seen to be gone after %s", what, time.Since(since).Round(time.Millisecond))
					return
				}
			case <-enough:
				c.Fatalf("%s: %s does not go", what, key)
			}
		}
	}

	began := time.Now()
	s.until("the key is written", func() bool { return put("member.first") == nil })
	await("all is well", "member.first", began)
	leader := s.info(s.producer.Ledger().JetStream(), "KV_"+ledger.FleetBucket).Cluster.Leader
	began = time.Now()
	s.until("the key is written", func() bool { return put("member.orphan") == nil })
	i := slices.IndexFunc(c.args[:], func(args []string) bool { return slices.Contains(args, leader) })
	killed := time.Now()
	c.kill(i)
	s.until("the key is written", func() bool { err := put("member.second"); return err == nil || ledger.IsConflict(err) })
	c.Logf("the leader of the bucket died: it takes writes again after %s", time.Since(killed).Round(time.Millisecond))
	await("the leader died", "member.orphan", began)
	l.acknowledged(100)
	s.until("orders are placed again", func() bool { return s.arrivals(killed.Add(2*time.Second)) > 100 })
	c.Logf("the leader of the bucket died: the longest time without an order is %s", s.longestPause(killed).Round(time.Millisecond))
	c.start(i)
}

// killTwo leaves one server, which cannot lead alone: a publish ends with its caller's
// deadline, and is tried again under its id when the others are back.
func (c *cluster) killTwo(s *site, l *load) {
	c.Helper()
	for _, stream := range ledgerStreams {
		s.info(s.producer.Ledger().JetStream(), stream)
	}
	c.kill(0)
	c.kill(1)
	ctx, cancel := context.WithTimeout(c.Context(), 3*time.Second)
	_, err := s.producer.Publish(ctx, "alone", rest("one"))
	cancel()
	if !errors.Is(err, producer.ErrUnknown) && !errors.Is(err, producer.ErrUnsent) && !errors.Is(err, producer.ErrNoStream) {
		c.Errorf("nobody leads: %v", err)
	}
	c.Logf("nobody leads: %v", err)
	c.start(0)
	c.start(1)
	s.until("a publish is acknowledged", func() bool {
		var r producer.Receipt
		if r, err = s.producer.Publish(c.Context(), "alone", rest("one")); err == nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.receipts = append(l.receipts, r)
		}
		return err == nil
	})
}

// arrivals counts the requests at the broker since a time.
func (s *site) arrivals(since time.Time) int {
	n := 0
	for _, a := range s.broker.Ledger().Arrived(0) {
		if a.Time.After(since) {
			n++
		}
	}
	return n
}

// longestPause is the longest time between two requests at the broker since a time.
func (s *site) longestPause(since time.Time) time.Duration {
	longest, last := time.Duration(0), since
	for _, a := range s.broker.Ledger().Arrived(0) {
		if a.Time.After(last) {
			longest, last = max(longest, a.Time.Sub(last)), a.Time
		}
	}
	return longest
}
