package paper

import (
	"strconv"
	"strings"
	"time"
)

// tales are the last events of all accounts of a correspondent, in the order in which they
// were recorded. The correspondent's lock guards them.
type tales struct {
	seq  int // of the last one
	list []tale
	wait chan struct{} // closed at the next one; nil if nobody waits
}

// tale is an event with the account that it happened on, numbered over all accounts.
type tale struct {
	number  int
	account *account
	event   event
}

// talesSize is how many events a correspondent keeps at least; twice as many at most.
const talesSize = 5 * feedSize

// tell records an event of a locked account of the correspondent and wakes those who follow.
func (c *correspondent) tell(a *account, e event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.tales
	t.seq++
	if len(t.list) >= 2*talesSize {
		n := copy(t.list, t.list[talesSize:])
		clear(t.list[n:])
		t.list = t.list[:n]
	}
	t.list = append(t.list, tale{t.seq, a, e})
	if t.wait != nil {
		close(t.wait)
		t.wait = nil
	}
}

// behind copies the first tales behind a number, says how many are no longer kept, and
// returns a channel that is closed when there is more.
func (c *correspondent) behind(number int) (some []tale, lost int, more <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.tales
	if t.wait == nil {
		t.wait = make(chan struct{})
	}
	first := len(t.list) - (t.seq - min(number, t.seq))
	if first < 0 {
		first, lost = 0, -first
	}
	rest := t.list[first:]
	if len(rest) <= streamBatch {
		return append([]tale(nil), rest...), lost, t.wait
	}
	return append([]tale(nil), rest[:streamBatch]...), lost, ready
}

// broadcast is where the stream of events of all accounts of a correspondent comes from.
type broadcast struct {
	*correspondent
	legacy bool // as the endpoint of version 1 shows them: ids are numbers
}

func (s broadcast) lastEvent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tales.seq
}

func (s broadcast) number(id string) (int, bool) {
	if s.legacy {
		n, err := strconv.Atoi(id)
		return n, err == nil && n > 0
	}
	return ulidNumber(id)
}

func (s broadcast) behindEvent(number int, span *eventSpan) (lines []line, reached int, more <-chan struct{}) {
	some, lost, more := s.behind(number)
	if lost > 0 && number > 0 { // at 0 the client asks for all that is kept
		lines = append(lines, line{text: ": you are reading too slowly, dropped " + strconv.Itoa(lost) + " messages\n\n"})
	}
	for i := range some {
		t := &some[i]
		number = t.number
		if !span.holds(t.event.at, t.number) {
			continue
		}
		t.account.mu.Lock()
		text := s.render(t)
		t.account.mu.Unlock()
		lines = append(lines, line{t.account, text})
	}
	return lines, number, more
}

// render writes a tale as a server-sent event. Its account must be locked.
func (s broadcast) render(t *tale) string {
	b := appendString([]byte(`data: {"account_id":`), t.account.id)
	b = append(b, `,"at":"`...)
	b = append(t.event.at.time().AppendFormat(b, time.RFC3339Nano), '"')
	if s.legacy {
		b = strconv.AppendInt(appendName(b, "event_id"), int64(t.number), 10)
		b = fieldString(b, "event_ulid", t.ulid())
	} else {
		b = fieldString(b, "event_id", t.ulid())
	}
	b = append(b, ',')
	b = append(b, t.event.append(nil)[1:]...)
	return string(append(b, "\n\n"...))
}

// crockford are the digits of a ULID.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// ulid is the id of an event over all accounts: ten digits of its time in milliseconds, then,
// where other ULIDs have chance, its number, so that ids within a millisecond are in order.
func (t *tale) ulid() string {
	var b [26]byte
	put := func(from, to int, n uint64) {
		for i := to - 1; i >= from; i-- {
			b[i] = crockford[n&31]
			n >>= 5
		}
	}
	put(0, 10, uint64(t.event.at.time().UnixMilli()))
	put(10, 26, uint64(t.number))
	return string(b[:])
}

// ulidNumber reads the number off an id.
func ulidNumber(id string) (n int, ok bool) {
	if len(id) != 26 {
		return 0, false
	}
	for i := range len(id) {
		digit := strings.IndexByte(crockford, id[i])
		if digit < 0 {
			return 0, false
		}
		if i >= 14 { // what is before is its time, and zeros
			n = n<<5 | digit
		}
	}
	return n, n > 0
}
