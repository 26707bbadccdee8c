package paper

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// fill is what of an order was traded at once; zero in events that are no trade.
type fill struct {
	price, qty, position num
}

// event is a change of an order's state. It keeps what the order looked like then.
type event struct {
	seq  int // from 1 in its account
	kind string
	at   stamp
	fill
	order *order
	as    snapshot
}

// snapshot is the part of an order that changes.
type snapshot struct {
	status    status
	qty, hwm  opt
	stop      opt
	filledQty num
	cost      num
}

// feed is the record of an account's events, with what waits for the next one. The
// account's lock guards it.
type feed struct {
	seq    int     // of the last event
	events []event // the last ones, oldest first
	wait   chan struct{}
}

// feedSize is how many events an account keeps at least; twice as many at most.
const feedSize = 10_000

// emit records an event of an order of a locked account and wakes those who follow.
func (a *account) emit(kind string, o *order, f fill, at stamp) {
	a.feed.seq++
	if len(a.feed.events) >= 2*feedSize {
		n := copy(a.feed.events, a.feed.events[feedSize:])
		clear(a.feed.events[n:])
		a.feed.events = a.feed.events[:n]
	}
	e := event{
		seq: a.feed.seq, kind: kind, at: at, fill: f, order: o,
		as: snapshot{o.status, o.qty, o.hwm, o.stop, o.filledQty, o.cost},
	}
	a.feed.events = append(a.feed.events, e)
	if a.owner != nil {
		a.owner.tell(a, e)
	}
	if a.feed.wait != nil {
		close(a.feed.wait)
		a.feed.wait = nil
	}
}

// behind returns the events behind a sequence number, and a channel that is closed at
// the next one.
func (f *feed) behind(seq int) ([]event, <-chan struct{}) {
	if f.wait == nil {
		f.wait = make(chan struct{})
	}
	first := max(0, len(f.events)-(f.seq-seq))
	if seq >= f.seq {
		first = len(f.events)
	}
	return f.events[first:], f.wait
}

// then is the order as it was at the event.
func (e *event) then() *order {
	o := *e.order
	o.status, o.qty, o.hwm, o.stop = e.as.status, e.as.qty, e.as.hwm, e.as.stop
	o.filledQty, o.cost, o.updated = e.as.filledQty, e.as.cost, e.at
	for ended, t := range map[status]*stamp{
		filled: &o.filledAt, expired: &o.expiredAt, canceled: &o.canceledAt, rejected: &o.failedAt, replaced: &o.replacedAt,
	} {
		if ended != o.status {
			*t = 0
		}
	}
	if o.status != replaced {
		o.replacedBy = ""
	}
	return &o
}

// executionID is unique among all events: it is made of the order's id and the event's
// place among those of its account.
func (e *event) executionID() string {
	h := hash(e.order.id)
	r := rand.NewPCG(h, uint64(e.seq))
	return uuid(r.Uint64(), r.Uint64())
}

// isTrade says whether something was traded.
func (e *event) isTrade() bool { return e.kind == "fill" || e.kind == "partial_fill" }

// append appends the event as trade updates show it. The account must be locked: the
// legs of the order are as they are now.
func (e *event) append(b []byte) []byte {
	o := e.then()
	b = appendString(append(b, `{"event":`...), e.kind)
	b = fieldTime(b, "timestamp", e.at)
	b = fieldString(b, "execution_id", e.executionID())
	if e.isTrade() {
		b = fieldNum(b, "price", e.price)
		b = fieldNum(b, "qty", e.qty)
		b = fieldNum(b, "position_qty", e.position)
	}
	b = appendOrder(appendName(b, "order"), o, true)
	return append(b, '}')
}

// eventID is the id of an event in streams, in the order of its account's
// events: its time to the millisecond, then its sequence number.
func (e *event) eventID() string {
	return string(strconv.AppendInt(e.moment(), int64(e.seq), 10))
}

// activityID is the id of a trade in the list of activities: its time, then its execution id.
func (e *event) activityID() string { return string(append(e.moment(), e.executionID()...)) }

// moment is what ids of events begin with.
func (e *event) moment() []byte {
	b := e.at.time().AppendFormat(nil, "20060102150405.000")
	b = append(b[:14], b[15:]...)
	return append(b, "::"...)
}

// eventSeq reads the sequence number of an eventID.
func eventSeq(id string) (int, bool) {
	const begin = len("20060102150405000::")
	if len(id) <= begin || id[begin-2:begin] != "::" {
		return 0, false
	}
	if _, err := time.Parse("20060102150405", id[:14]); err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(id[begin:])
	return n, err == nil && n > 0
}
