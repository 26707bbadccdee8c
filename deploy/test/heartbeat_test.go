package test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// TestHeartbeatsRunOut: a key of the fleet's bucket that is not renewed goes, and its
// watchers see it go, in a cluster and after the death of the bucket's leader too. The
// figures are in the log.
func TestHeartbeatsRunOut(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := troubled(t, c.servers(), replicated)
	js := s.producer.Ledger().JetStream()
	bucket := s.producer.Ledger().Bucket(ledger.FleetBucket)
	type change struct {
		ledger.KeyChange
		at time.Time
	}
	changes, ended := make(chan change, 100), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		ended <- bucket.Watch(ctx, func(k ledger.KeyChange) error { changes <- change{k, time.Now()}; return nil })
	}()
	defer func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	put := func(key string) time.Time {
		t.Helper()
		sent := time.Now()
		if _, err := bucket.Put(t.Context(), key, []byte("{}"), 0, time.Second); err != nil {
			t.Fatal(err)
		}
		return sent
	}
	gone := func(key string) time.Time {
		t.Helper()
		for {
			select {
			case k := <-changes:
				if k.Key == key && k.Value == nil {
					return k.at
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s does not go", key)
			}
		}
	}
	for n := range 3 {
		key := fmt.Sprint("member.", n)
		sent := put(key)
		t.Logf("all is well: gone after %s", gone(key).Sub(sent).Round(time.Millisecond))
	}
	leader := s.info(js, "KV_"+ledger.FleetBucket).Cluster.Leader
	sent := put("member.orphan")
	for i := range members {
		if memberName(i) == leader {
			c.kill(i)
			defer c.start(i)
		}
	}
	killed := time.Now()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err := bucket.Put(ctx, "member.first", []byte("{}"), 0, time.Second)
		cancel()
		if err == nil || ledger.IsConflict(err) {
			break
		}
	}
	t.Logf("the leader is dead: a write works after %s", time.Since(killed).Round(time.Millisecond))
	t.Logf("the leader is dead: gone after %s", gone("member.orphan").Sub(sent).Round(time.Millisecond))
	sent = put("member.second")
	t.Logf("under a new leader: gone after %s", gone("member.second").Sub(sent).Round(time.Millisecond))
}
