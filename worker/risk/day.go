package risk

import (
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
)

// newYork is where trading days are days. The worker's command brings its time zone along.
var newYork = sync.OnceValue(func() *time.Location {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil { // a worker without time zones: days are those of the east coast's winter
		return time.FixedZone("EST", -5*60*60)
	}
	return zone
})

// dayOf numbers trading days: calendar days in New York.
func dayOf(t time.Time) int32 {
	y, m, d := t.In(newYork()).Date()
	return int32(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
}

// day is what went out on a trading day.
type day struct {
	of  int32
	sum sum
}

func (d *day) add(of int32, c *order.Counted) {
	switch {
	case of < d.of: // another worker's clock
		return
	case of > d.of:
		*d = day{of: of}
	}
	var w went
	w.dollars, w.known = dollarsOf(c)
	d.sum.add(&w)
}

func (b *Book) ordersToday() int { return b.notionalToday().orders }

func (b *Book) notionalToday() sum {
	if b.sent.of != dayOf(b.last) {
		return sum{}
	}
	return b.sent.sum
}
