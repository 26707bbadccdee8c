package session

import (
	"context"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
)

// Note tells the shard that a tenant's session begins to wait for its broker, and then that it
// waits no longer, for operators who ask. Short waits are not worth one.
type Note struct {
	Tenant string
	Why    order.Why // empty: it waits no longer
	// Since is when the wait began, Until when it ends at the latest.
	Since, Until time.Time
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
