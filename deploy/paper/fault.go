package paper

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of faults.
const (
	Latency   FaultKind = "latency"    // the answer takes longer
	RateLimit FaultKind = "rate_limit" // 429, with Retry-After if the fault says so
	Error     FaultKind = "error"      // a 5xx with an error body
	HTML      FaultKind = "html"       // a gateway's 502 with a page
	Reset     FaultKind = "reset"      // the connection is reset (TCP RST)
	Silence   FaultKind = "silence"    // no answer until the client leaves
	SlowBody  FaultKind = "slow_body"  // the answer trickles in, a byte a Delay
	Empty     FaultKind = "empty"      // 200 without a body
	Garbage   FaultKind = "garbage"    // 200 with a body that is no JSON
	Unseen    FaultKind = "unseen"     // a 500, but booked; lookups show no trace of it for a Delay
	Drop      FaultKind = "drop"       // an event that the stream leaves out
)

// When says on which side of the booking a fault strikes.
type When string

// A fault before the booking leaves no trace but its arrival on the ledger; one after
// it hides what was done.
const (
	Before When = "before"
	After  When = "after"
)

// Operation is a class of requests.
type Operation string

// The classes of requests. Any is all of them.
const (
	Any       Operation = ""
	Place     Operation = "place"     // POST /v2/orders
	Replace   Operation = "replace"   // PATCH /v2/orders/{id}
	Cancel    Operation = "cancel"    // DELETE /v2/orders, all or one
	Lookup    Operation = "lookup"    // GET /v2/orders/{id} and :by_client_order_id
	List      Operation = "list"      // GET /v2/orders
	Close     Operation = "close"     // DELETE /v2/positions, all or one
	Positions Operation = "positions" // GET /v2/positions, all or one
	Stream    Operation = "stream"    // the streams of updates; see streamfault.go. Any leaves them alone
	Other     Operation = "other"     // the rest
)

// Fault is something that goes wrong for some requests. The first fault that strikes
// decides; those of Latency before it add up.
type Fault struct {
	Account   string    // API key, or the id of a correspondent's account; empty for all
	Operation Operation // which requests
	Path      string    // which paths, as the Trading API has them, begin so; empty for all
	Kind      FaultKind
	// When it strikes; empty means After for SlowBody, Empty, Garbage and Unseen, else
	// Before. A rate limit is always before, a slow body and an unseen order always after.
	When When
	// Count is how often it strikes; 0 is without end.
	Count int
	// Most is how often it strikes the same request, made again and again; 0 is without end.
	Most int
	// Probability that it strikes, in (0, 1]; 0 means 1. It is drawn from the broker's
	// seed, from what the request is and from how often it was made before: what others
	// ask meanwhile changes nothing.
	Probability float64
	// Status of an Error, 500-599; 0 means 500.
	Status int
	// RetryAfter of a rate limit, in whole seconds; 0 sends no such header.
	RetryAfter time.Duration
	// Delay is a fixed latency, the time between the bytes of a slow body, or how long an
	// order is unseen.
	Delay time.Duration
	// Min and Max bound a latency that is drawn uniformly.
	Min, Max time.Duration
	// P50 and P99 are the percentiles of a latency that is drawn from a log-normal
	// distribution.
	P50, P99 time.Duration
}

// errFault refuses faults that make no sense.
var errFault = errors.New("paper: bad fault")

func (f *Fault) check() error {
	kinds := []FaultKind{Latency, RateLimit, Error, HTML, Reset, Silence, SlowBody, Empty, Garbage, Unseen, Drop}
	operations := []Operation{Any, Place, Replace, Cancel, Lookup, List, Close, Positions, Stream, Other}
	switch {
	case !slices.Contains(kinds, f.Kind):
		return fmt.Errorf("%w: kind %q: want one of %q", errFault, f.Kind, kinds)
	case !slices.Contains(operations, f.Operation):
		return fmt.Errorf("%w: operation %q: want one of %q", errFault, f.Operation, operations[1:])
	case f.Operation == Stream && !f.streams(), f.Operation != Stream && f.Kind == Drop:
		return fmt.Errorf("%w: kind %q does not go with operation %q", errFault, f.Kind, f.Operation)
	case f.When != "" && f.When != Before && f.When != After:
		return fmt.Errorf("%w: when %q: want before or after", errFault, f.When)
	case f.Kind == RateLimit && f.When == After:
		return fmt.Errorf("%w: a rate limit strikes before the booking", errFault)
	case (f.Kind == SlowBody || f.Kind == Unseen) && f.When == Before:
		return fmt.Errorf("%w: %s strikes after the booking", errFault, f.Kind)
	case f.Count < 0 || f.Most < 0:
		return fmt.Errorf("%w: count %d, most %d: want at least 0", errFault, f.Count, f.Most)
	case !(f.Probability >= 0 && f.Probability <= 1):
		return fmt.Errorf("%w: probability %v: want 0 to 1", errFault, f.Probability)
	case f.Status != 0 && (f.Kind != Error || f.Status < 500 || f.Status > 599):
		return fmt.Errorf("%w: status %d: want 500 to 599, and kind error", errFault, f.Status)
	case f.RetryAfter < 0 || f.RetryAfter > 0 && f.Kind != RateLimit:
		return fmt.Errorf("%w: retry_after %v: want at least 0, and kind rate_limit", errFault, f.RetryAfter)
	}
	return f.checkTimes()
}

func (f *Fault) checkTimes() error {
	fixed, uniform, percentiles := f.Delay != 0, f.Min != 0 || f.Max != 0, f.P50 != 0 || f.P99 != 0
	switch {
	case f.Kind != Latency && (uniform || percentiles), f.Kind != Latency && f.Kind != SlowBody && f.Kind != Unseen && fixed:
		return fmt.Errorf("%w: only latency, slow_body and unseen take time", errFault)
	case f.Kind == Unseen && !fixed:
		return fmt.Errorf("%w: unseen needs delay", errFault)
	case f.Kind == Latency && !fixed && !uniform && !percentiles:
		return fmt.Errorf("%w: latency needs delay, min and max, or p50 and p99", errFault)
	case fixed && (uniform || percentiles) || uniform && percentiles:
		return fmt.Errorf("%w: want only one of delay, min and max, p50 and p99", errFault)
	case f.Delay < 0 || f.Min < 0 || f.Max < f.Min:
		return fmt.Errorf("%w: delay %v, min %v, max %v: want 0 <= delay and 0 <= min <= max", errFault, f.Delay, f.Min, f.Max)
	case percentiles && (f.P50 <= 0 || f.P99 < f.P50):
		return fmt.Errorf("%w: p50 %v, p99 %v: want 0 < p50 <= p99", errFault, f.P50, f.P99)
	}
	return nil
}

// after says whether a fault strikes behind the booking.
func (f *Fault) after() bool {
	if f.When != "" {
		return f.When == After
	}
	return f.Kind == SlowBody || f.Kind == Empty || f.Kind == Garbage || f.Kind == Unseen
}

// z99 is how many standard deviations the 99th percentile is above the median.
const z99 = 2.3263478740408408

// draw is how long a latency takes this time.
func (f *Fault) draw(r *rand.Rand) time.Duration {
	switch {
	case f.P50 > 0:
		sigma := math.Log(float64(f.P99)/float64(f.P50)) / z99
		return time.Duration(float64(f.P50) * math.Exp(sigma*r.NormFloat64()))
	case f.Max > 0:
		return f.Min + time.Duration(r.Int64N(int64(f.Max-f.Min)+1))
	}
	return f.Delay
}

// SetFault adds a fault. It says what is wrong with one that makes no sense.
func (b *Broker) SetFault(f Fault) error {
	if err := f.check(); err != nil {
		return err
	}
	b.faults.mu.Lock()
	defer b.faults.mu.Unlock()
	b.faults.set++
	b.faults.list = append(b.faults.list, &standing{Fault: f, number: b.faults.set, struck: make(map[fingerprint]int)})
	b.faults.some.Store(true)
	return nil
}

// Faults returns the faults that can still strike, with what is left of their counts.
func (b *Broker) Faults() []Fault {
	b.faults.mu.Lock()
	defer b.faults.mu.Unlock()
	all := make([]Fault, len(b.faults.list))
	for i, f := range b.faults.list {
		all[i] = f.Fault
	}
	return all
}

// ClearFaults ends all faults. Requests that one holds up already stay held up.
func (b *Broker) ClearFaults() {
	b.faults.mu.Lock()
	defer b.faults.mu.Unlock()
	b.faults.list, b.faults.made = nil, nil
	b.faults.some.Store(false)
}

// faultList holds the faults in the order in which they were set.
type faultList struct {
	some atomic.Bool // spares requests the lock
	seed uint64

	mu   sync.Mutex
	list []*standing
	set  uint64                 // how many faults there have been
	made map[fingerprint]uint64 // how often each request was made; nil without faults
}

// standing is a fault that can still strike.
type standing struct {
	Fault
	number uint64
	struck map[fingerprint]int // how often each request; kept if that is bounded
}

// fingerprint tells requests apart: by account, method, path, query and body.
type fingerprint [16]byte

func fingerprintOf(c *call) fingerprint {
	words := []string{c.account.key, c.method, c.path, c.query.Encode(), string(c.body)}
	return digest([]byte(strings.Join(words, "\x00")))
}

// strike is what goes wrong with one request.
type strike struct {
	before, after time.Duration // latency on either side of the booking
	fault         *Fault        // nil if nothing else goes wrong
}

// strike finds what goes wrong with a call.
func (l *faultList) strike(c *call) (s strike) {
	if !l.some.Load() {
		return s
	}
	op := operationOf(c)
	return l.strikeWhere(fingerprintOf(c), func(f *Fault) bool { return f.matches(c, op) })
}

// strikeWhere finds what goes wrong with something that some faults can strike.
func (l *faultList) strikeWhere(r fingerprint, matches func(*Fault) bool) (s strike) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made == nil {
		l.made = make(map[fingerprint]uint64)
	}
	l.made[r]++
	for i := 0; i < len(l.list) && s.fault == nil; i++ {
		f := l.list[i]
		if !matches(&f.Fault) || f.Most > 0 && f.struck[r] >= f.Most {
			continue
		}
		random := l.random(f, r)
		if f.Probability > 0 && random.Float64() >= f.Probability {
			continue
		}
		switch {
		case f.Kind != Latency:
			hit := f.Fault // what is counted down must not change under the strike
			s.fault = &hit
		case f.after():
			s.after += f.draw(random)
		default:
			s.before += f.draw(random)
		}
		if f.Most > 0 {
			f.struck[r]++
		}
		if f.Count == 0 {
			continue
		}
		if f.Count--; f.Count == 0 {
			l.list = slices.Delete(l.list, i, i+1)
			l.some.Store(len(l.list) > 0)
			i--
		}
	}
	return s
}

// random is what a fault draws from for a request as often as it was made by now.
func (l *faultList) random(f *standing, r fingerprint) *rand.Rand {
	return rand.New(rand.NewPCG(l.seed^binary.LittleEndian.Uint64(r[:8])^f.number<<32, binary.LittleEndian.Uint64(r[8:])+l.made[r]))
}

func (f *Fault) matches(c *call, op Operation) bool {
	return (f.Account == "" || f.Account == c.account.key) &&
		(f.Operation == Any || f.Operation == op) && strings.HasPrefix(c.path, f.Path)
}

// operationOf is the class of a call.
func operationOf(c *call) Operation {
	orders, positions := strings.HasPrefix(c.path, "/v2/orders"), strings.HasPrefix(c.path, "/v2/positions")
	switch {
	case orders && c.method == http.MethodPost:
		return Place
	case orders && c.method == http.MethodPatch:
		return Replace
	case orders && c.method == http.MethodDelete:
		return Cancel
	case orders && c.method == http.MethodGet && c.path == "/v2/orders":
		return List
	case orders && c.method == http.MethodGet:
		return Lookup
	case positions && c.method == http.MethodDelete:
		return Close
	case positions && c.method == http.MethodGet:
		return Positions
	}
	return Other
}
