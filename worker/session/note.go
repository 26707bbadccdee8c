package session

import (
	"context"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// Note tells the shard, for operators who ask, that a tenant's session begins to wait for its
// broker, and then that it waits no longer; short waits are not worth one. Or that it took
// other terms over.
type Note struct {
	Tenant string
	Why    order.Why // empty: it waits no longer
	// Since is when the wait began, Until when it ends at the latest.
	Since, Until time.Time

	// Obeys, if it is not nil, says instead that from now on the session makes no request that
	// these terms do not allow. Open: one from before has no answer, and may still reach the
	// broker.
	Obeys *tenant.Terms
	Open  bool
}

// worthANote is the least wait that the shard is told of.
const worthANote = 100 * time.Millisecond

// note tells the shard, which takes it at once.
func (s *Session) note(ctx context.Context, n Note) {
	n.Tenant = s.tenant
	select {
	case s.notes <- n:
	case <-ctx.Done():
	}
}
