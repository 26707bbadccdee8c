package proof

import (
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// Stop is a time in which an operator's switch lay on a tenant. Under reduce-only, purchases are
// judged, as those of a tenant that has nothing short; sales are not.
type Stop struct {
	Tenant string
	Mode   tenant.Mode
	// Written is before its record was: nothing obeys it earlier.
	Written time.Time
	// Confirmed is when the owner of the tenant's shard had said that it is obeyed; zero if it
	// did not.
	Confirmed time.Time
	// Open says that the owner said, too, that an earlier request may still reach the broker.
	Open bool
	// Lifted is when it was over by itself, or before it was lifted.
	Lifted time.Time
	// Over is from when on nobody obeys it any more; zero if that is not known.
	Over time.Time
}

// holds says that no request may be made at a moment.
func (s *Stop) holds(at time.Time) bool {
	return !s.Confirmed.IsZero() && at.After(s.Confirmed) && at.Before(s.Lifted)
}

// Stopped counts what was published while its tenant was stopped, from the confirmation on.
type Stopped struct {
	Stops     int `json:"stops"` // by tenant
	Confirmed int `json:"confirmed"`
	// Intents were published meanwhile. Blocked are those that the switch refused, Waited those
	// that had their outcome when it was lifted; the rest are cancels, and ended as expired,
	// duplicate, or such.
	Intents int `json:"intents"`
	Blocked int `json:"blocked"`
	Waited  int `json:"waited"`
	// Excused are requests that arrived meanwhile, of which the owner had said that they may.
	Excused int `json:"excused"`
}

// The names that outcomes have for what a switch refuses.
var refuses = map[tenant.Mode]string{tenant.Halt: "halted", tenant.ReduceOnly: "reduce_only"}

// checkStops: while a tenant is stopped nothing of it reaches the broker that its switch does
// not let go, and its intents wait, or are refused.
func (c *checker) checkStops() {
	if len(c.h.Stops) == 0 {
		return
	}
	c.Stopped = &Stopped{Stops: len(c.h.Stops)}
	for i := range c.h.Stops {
		if !c.h.Stops[i].Confirmed.IsZero() {
			c.Stopped.Confirmed++
		}
	}
	for i := range c.h.Arrivals {
		if cl := c.claims[c.h.Arrivals[i].ClientOrderID]; cl != nil && len(cl.intents) > 0 {
			c.checkStopped(&c.h.Arrivals[i], cl.intents[0])
		}
	}
	for i := range c.h.Intents {
		c.checkHeeded(&c.h.Intents[i])
	}
}

// checkStopped: a request arrived that may be. One that was under way when the switch was
// thrown is excused if the owner said so.
func (c *checker) checkStopped(a *Arrival, in *Intent) {
	for _, s := range c.stops[in.Tenant] {
		if !s.holds(a.Time) || !c.forbids(s, in) {
			continue
		}
		after := a.Time.Sub(s.Confirmed)
		if s.Open && after <= c.h.Slack && in.At.Before(s.Confirmed) {
			c.Stopped.Excused++
			continue
		}
		c.find(Unstopped, "a request for %s arrived %s after %s of its tenant was confirmed, and was answered by %d", a.ClientOrderID, after, s.Mode, a.Status)
		return
	}
}

// forbids says that a switch lets no request for an order go.
func (c *checker) forbids(s *Stop, in *Intent) bool {
	switch {
	case s.Mode != tenant.ReduceOnly:
		return true
	case in.Kind == order.KindOrder:
		return in.Order != nil && in.Order.Side == order.Buy
	case in.Kind == order.KindReplace:
		target := c.claims[order.ClientOrderID(in.Tenant, in.Target)]
		return target != nil && len(target.bookings) > 0 && target.bookings[0].Side == string(order.Buy)
	}
	return false
}

// checkHeeded: what was published while its tenant was stopped ended as the switch says, if it
// ended before that was lifted.
func (c *checker) checkHeeded(in *Intent) {
	o := c.answered[key{in.Tenant, in.Seq}]
	if o == nil {
		return
	}
	counted := false
	for _, s := range c.stops[in.Tenant] {
		if !s.holds(in.At) {
			continue
		}
		if !counted {
			c.Stopped.count(s, o)
			counted = true
		}
		if o.At.Before(s.Lifted) && !c.heeds(s, in, o) {
			c.find(Unheeded, "intent %d of %s (%s) was published %s after %s was confirmed, and ended as %s %s before that was lifted",
				in.Seq, in.Tenant, in.Kind, in.At.Sub(s.Confirmed), s.Mode, o.Status, s.Lifted.Sub(o.At))
			return
		}
	}
}

func (n *Stopped) count(s *Stop, o *Outcome) {
	n.Intents++
	switch {
	case !o.At.Before(s.Lifted):
		n.Waited++
	case o.Status == order.Blocked && o.Rule == refuses[s.Mode]:
		n.Blocked++
	}
}

// heeds says that an intent may have ended so under a switch. What refuses it beside the
// switch is another rule's matter, see [checker.blocks].
func (c *checker) heeds(s *Stop, in *Intent, o *Outcome) bool {
	switch o.Status {
	case order.Expired, order.Duplicate, order.Invalid:
		return true
	case order.Blocked:
		return s.Mode != tenant.Pause || o.Rule == refuses[tenant.Halt]
	case order.Rejected: // a lookup, of what it is about or of the position, refuses it as well
		return s.Mode == tenant.ReduceOnly || s.Mode == tenant.Halt && in.Kind != order.KindOrder
	case order.Accepted, order.Failed:
	}
	return s.Mode != tenant.Pause && (!Books(in.Kind) || !c.forbids(s, in))
}

// switched says that a switch may have refused an intent.
func (c *checker) switched(mode tenant.Mode, in *Intent, o *Outcome) bool {
	for _, s := range c.stops[in.Tenant] {
		if s.Mode == mode && !o.At.Before(s.Written) && (s.Over.IsZero() || !in.At.After(s.Over)) {
			return true
		}
	}
	return false
}
