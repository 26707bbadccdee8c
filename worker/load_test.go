package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/fleet"
)

// TestLoadIsInTheHeartbeat: a worker with more tenants than room says so to the fleet, and
// says when that is over.
func TestLoadIsInTheHeartbeat(t *testing.T) {
	r := newRig(t)
	release := make(chan struct{})
	r.books.meddle = func(string, string, func()) *broker.Verdict {
		<-release
		return nil
	}
	const tenants = 10
	r.work(func(c *worker.Config) { c.MaxSessions = shards })
	for n := range tenants {
		r.publish(fmt.Sprintf("t%d", n), buy("one"))
	}
	r.awaitMember(func(m fleet.Member) bool {
		return m.Load.Sessions == shards && m.Load.Waiting == tenants-shards
	})
	close(release)
	r.awaitMember(func(m fleet.Member) bool { return m.Load.Waiting == 0 })
}

// awaitMember waits for a heartbeat of which something is true.
func (r *rig) awaitMember(is func(fleet.Member) bool) {
	r.Helper()
	enough := errors.New("enough")
	err := r.ledger.Bucket(ledger.FleetBucket).Watch(r.Context(), func(c ledger.KeyChange) error {
		var m fleet.Member
		if !strings.HasPrefix(c.Key, "member.") || c.Value == nil {
			return nil
		}
		if err := json.Unmarshal(c.Value, &m); err != nil {
			return err
		}
		if is(m) {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) && !errors.Is(err, context.Canceled) {
		r.Fatal(err)
	}
}
