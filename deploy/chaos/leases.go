package chaos

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// leases follows which worker holds which shard. Safe for concurrent use.
type leases struct {
	mu      sync.Mutex
	names   map[string]string    // of members, by id; those that are gone, too
	owners  []string             // ids, by shard
	beats   map[string]time.Time // when each worker's last heartbeat was seen, by name
	changed time.Time            // when a shard last changed its owner, or a member came or went
}

func newLeases(shards int) *leases {
	return &leases{names: make(map[string]string), beats: make(map[string]time.Time), owners: make([]string, shards)}
}

// follow reads the fleet's bucket until ctx ends.
func (l *leases) follow(ctx context.Context, led *ledger.Ledger) {
	for ctx.Err() == nil {
		// It ends only with trouble that a new beginning cures.
		_ = led.Bucket(ledger.FleetBucket).Watch(ctx, func(c ledger.KeyChange) error {
			l.see(c)
			return nil
		})
		sleep(ctx, 200*time.Millisecond)
	}
}

// see takes a change of the bucket in.
func (l *leases) see(c ledger.KeyChange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id, ok := strings.CutPrefix(c.Key, "member."); ok {
		l.seeMember(id, c.Value)
		return
	}
	key, _ := strings.CutPrefix(c.Key, "shard.")
	shard, err := strconv.Atoi(key)
	if err != nil || shard < 0 || shard >= len(l.owners) {
		return
	}
	var lease struct{ Owner string }
	if c.Value == nil || json.Unmarshal(c.Value, &lease) != nil {
		lease.Owner = ""
	}
	if l.owners[shard] != lease.Owner {
		l.changed = time.Now()
	}
	l.owners[shard] = lease.Owner
}

// holders are the names of the workers that hold the shards, by shard.
func (l *leases) holders() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, len(l.owners))
	for shard, id := range l.owners {
		names[shard] = l.names[id]
	}
	return names
}

// seeMember takes a heartbeat in, or the end of a member. The caller holds the lock.
func (l *leases) seeMember(id string, value []byte) {
	if value == nil {
		l.changed = time.Now()
		delete(l.beats, l.names[id])
		return
	}
	var member struct{ Name string }
	if json.Unmarshal(value, &member) != nil {
		return
	}
	if l.names[id] == "" {
		l.changed = time.Now()
	}
	l.names[id], l.beats[member.Name] = member.Name, time.Now()
}

// beating is how old a heartbeat is at most while NATS is well: they live for a second, so
// they come more often. Without them what is known of the shards is old, too.
const beating = 700 * time.Millisecond

// settled says that these workers are the members, share the shards as they are to, and
// have for a while.
func (l *leases) settled(workers []string, d time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range workers {
		if time.Since(l.beats[name]) > beating {
			return false
		}
	}
	bound := (len(l.owners) + len(workers) - 1) / max(len(workers), 1)
	held := make(map[string]int)
	for _, id := range l.owners {
		if held[id]++; id == "" || held[id] > bound {
			return false
		}
	}
	return time.Since(l.changed) >= d
}

// served says that every shard has an owner.
func (l *leases) served() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.owners {
		if id == "" {
			return false
		}
	}
	return true
}
