package paper

import (
	"crypto/sha256"
	"sync"
	"time"
)

// Arrival is a request that could book an order, recorded before it was looked at. Only
// requests without valid keys, or cut short, are not recorded.
type Arrival struct {
	Seq           int       // from 1, over all accounts
	Time          time.Time // when the whole request had been read
	Account       string    // its API key; of a correspondent's, its id
	Method, Path  string    // the path as the Trading API has it
	ClientOrderID string    // empty if it bears none, or cannot be read
	Digest        [16]byte  // of the body: the first bytes of its SHA-256
	Status        int       // of the answer that was given; 0 as long as there is none
}

// Booking is an order that was booked. Legs of a complex order count with their parent.
type Booking struct {
	Seq           int    // from 1, over all accounts
	Account       string // its API key; of a correspondent's, its id
	ClientOrderID string
	OrderID       string
	Symbol        string // empty for a multi-leg order
	Side, Type    string
	Qty, Notional string    // one of them is empty
	Replaces      string    // the id of the order that this one replaces
	Received      time.Time // when the request that booked it had been read
}

// Request is any request of a correspondent's, recorded at the time that it counts at.
type Request struct {
	Seq           int // from 1, over all correspondents
	Time          time.Time
	Correspondent string // its key
	Account       string // id; empty for the stream of events, which is of all accounts
	Cancel        bool   // of orders, one or all
	Refused       bool   // by 429, for being over the limit
}

// Ledger is the broker's own record of what reached it and what it booked. It only
// grows, and nothing of the broker's other state is derived from it or the reverse.
// Its times are those of the clock, whatever the broker's time was set to. It is safe for
// concurrent use.
type Ledger struct {
	mu       sync.Mutex
	arrivals journal[Arrival]
	bookings journal[Booking]
	requests journal[Request]
}

// Booked returns the bookings behind sequence number after, oldest first.
func (l *Ledger) Booked(after int) []Booking {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bookings.after(after, l.bookings.n)
}

// Arrived returns the arrivals behind sequence number after, oldest first.
func (l *Ledger) Arrived(after int) []Arrival {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.arrivals.after(after, l.arrivals.n)
}

// Requested returns the requests of correspondents behind sequence number after, oldest first.
func (l *Ledger) Requested(after int) []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests.after(after, l.requests.n)
}

// requestedPage returns the first requests behind after: a bounded copy.
func (l *Ledger) requestedPage(after int) []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests.after(after, ledgerPage)
}

// bookedPage returns the first bookings behind after: a bounded copy.
func (l *Ledger) bookedPage(after int) []Booking {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bookings.after(after, ledgerPage)
}

// arrivedPage returns the first arrivals behind after: a bounded copy.
func (l *Ledger) arrivedPage(after int) []Arrival {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.arrivals.after(after, ledgerPage)
}

func (l *Ledger) arrive(a Arrival) (seq int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.Seq = l.arrivals.n + 1
	l.arrivals.append(a)
	return a.Seq
}

func (l *Ledger) request(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Seq = l.requests.n + 1
	l.requests.append(r)
}

func (l *Ledger) answer(seq, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrivals.at(seq - 1).Status = status
}

func (l *Ledger) book(b Booking) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b.Seq = l.bookings.n + 1
	l.bookings.append(b)
}

// digest is the Digest of a body.
func digest(body []byte) (d [16]byte) {
	sum := sha256.Sum256(body)
	copy(d[:], sum[:])
	return d
}

// journalChunk entries are allocated at once; a journal that grows never copies.
const journalChunk = 1024

type journal[T any] struct {
	n      int
	chunks []*[journalChunk]T
}

func (j *journal[T]) append(e T) {
	if j.n%journalChunk == 0 {
		j.chunks = append(j.chunks, new([journalChunk]T))
	}
	j.n++
	*j.at(j.n - 1) = e
}

func (j *journal[T]) at(i int) *T { return &j.chunks[i/journalChunk][i%journalChunk] }

// after copies at most a number of entries behind the first seq.
func (j *journal[T]) after(seq, most int) []T {
	first := max(seq, 0)
	if first >= j.n {
		return nil
	}
	end := first + min(most, j.n-first)
	found := make([]T, 0, end-first)
	for i := first; i < end; {
		from := i % journalChunk
		n := min(end-i, journalChunk-from)
		found = append(found, j.chunks[i/journalChunk][from:from+n]...)
		i += n
	}
	return found
}
