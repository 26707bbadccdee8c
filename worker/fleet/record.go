package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Member is what a worker says of itself with each heartbeat.
type Member struct {
	// Name is the worker's, as outcomes bear it.
	Name string `json:"name"`
	// Since is when this membership began.
	Since time.Time `json:"since"`
	// Joining members do not see the bucket yet, and get nothing before they do.
	Joining bool `json:"joining,omitempty"`
	// Draining members give their shards up and get no more.
	Draining bool `json:"draining,omitempty"`
	Load     Load `json:"load"`
	// Beat counts the heartbeats of this membership, from 1.
	Beat uint64 `json:"beat"`
}

// Load is how much a worker has to do.
type Load struct {
	Sessions int `json:"sessions"` // tenants being served
	Waiting  int `json:"waiting"`  // tenants with work that wait for a session
	// Differing is of how many tenants broker and ledger differ, as far as they were reconciled
	// on schedule.
	Differing int `json:"differing,omitempty"`
}

// stays says that a member may have shards.
func (m Member) stays() bool { return !m.Joining && !m.Draining }

// overloaded says that the worker has more to do than it has room for.
func (l Load) overloaded() bool { return l.Waiting > 0 }

// Record is a shard's lease as the bucket holds it.
type Record struct {
	// Owner is the member that owns the shard, empty if none does.
	Owner string `json:"owner,omitempty"`
	// Epoch grows with every change of owner.
	Epoch uint64 `json:"epoch"`
	Mark
	// Clean says that the last owner gave the shard up in peace: of no tenant but those in
	// Left can the broker have a request that no outcome tells of.
	Clean bool     `json:"clean,omitempty"`
	Left  []string `json:"left,omitempty"`
}

// Mark says from where on a shard has to be read.
type Mark struct {
	// Low is the low watermark: every intent of the shard with a smaller sequence number
	// has its outcome, but for those of the tenants in Behind.
	Low uint64 `json:"low"`
	// Behind names the few tenants whose work reaches far further back than anybody
	// else's, each with its first intent that has no outcome.
	Behind map[string]uint64 `json:"behind,omitempty"`
}

// The keys of the bucket.
const (
	memberPrefix = "member."
	shardPrefix  = "shard."
)

func memberKey(id string) string { return memberPrefix + id }
func shardKey(shard int) string  { return shardPrefix + strconv.Itoa(shard) }

// errForeign says that a key of the bucket is none of ours.
var errForeign = errors.New("fleet: not a key of the fleet")

// decode reads one key of the bucket: a member, by its id, or a shard's lease.
func decode(key string, value []byte) (member string, m Member, shard int, r Record, err error) {
	if id, ok := strings.CutPrefix(key, memberPrefix); ok && id != "" {
		if value != nil {
			err = strictly(key, value, &m)
		}
		return id, m, 0, r, err
	}
	n, ok := strings.CutPrefix(key, shardPrefix)
	shard, atoi := strconv.Atoi(n)
	if !ok || atoi != nil || shard < 0 || strconv.Itoa(shard) != n {
		return "", m, 0, r, fmt.Errorf("%w: %q", errForeign, key)
	}
	if value != nil {
		err = strictly(key, value, &r)
	}
	return "", m, shard, r, err
}

func strictly(key string, value []byte, into any) error {
	if err := json.Unmarshal(value, into); err != nil {
		return fmt.Errorf("fleet: key %s of the bucket: %w", key, err)
	}
	return nil
}
