package updates_test

import (
	"context"
	"slices"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// sheet is a ledger of one tenant in memory: real enough for a follower, and without a
// server, so that time can be the test's.
type sheet struct {
	mu      sync.Mutex
	entries []ledger.Entry
	appends int
	// mishap says what becomes of the n-th append.
	mishap func(n int) mishap
}

// mishap is what may become of an append.
type mishap int

const (
	none mishap = iota
	lostAck
	lostWrite
)

// put appends a message as it is, and returns its sequence number.
func (s *sheet) put(c ledger.Class, data []byte) ledger.Entry {
	e := ledger.Entry{Class: c, Tenant: "acme", Seq: uint64(len(s.entries) + 1), Data: data}
	s.entries = append(s.entries, e)
	return e
}

func (s *sheet) last(c ledger.Class) (ledger.Entry, bool) {
	for _, e := range slices.Backward(s.entries) {
		if e.Class == c {
			return e, true
		}
	}
	return ledger.Entry{}, false
}

// future is the end of an append.
type future struct {
	ok  chan *jetstream.PubAck
	err chan error
}

func (f *future) Ok() <-chan *jetstream.PubAck { return f.ok }
func (f *future) Err() <-chan error            { return f.err }
func (f *future) Msg() *nats.Msg               { return nil }

func (s *sheet) AppendUpdate(_ int, _ string, u *order.Update, after uint64) (jetstream.PubAckFuture, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &future{make(chan *jetstream.PubAck, 1), make(chan error, 1)}
	data, err := order.EncodeUpdate(*u)
	if err != nil {
		return nil, err
	}
	s.appends++
	what := none
	if s.mishap != nil {
		what = s.mishap(s.appends)
	}
	if last, _ := s.last(ledger.Updates); last.Seq != after {
		f.err <- &jetstream.APIError{ErrorCode: 10071}
		return f, nil
	}
	if what == lostWrite {
		f.err <- jetstream.ErrAsyncPublishTimeout
		return f, nil
	}
	e := s.put(ledger.Updates, data)
	if what == lostAck {
		f.err <- jetstream.ErrAsyncPublishTimeout
		return f, nil
	}
	f.ok <- &jetstream.PubAck{Sequence: e.Seq}
	return f, nil
}

func (s *sheet) LastUpdate(context.Context, int, string) (order.Update, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.last(ledger.Updates)
	if !ok {
		return order.Update{}, 0, ledger.ErrNone
	}
	u, err := order.DecodeUpdate(e.Data)
	return u, e.Seq, err
}

func (s *sheet) ReadTenant(_ context.Context, _ int, _ string, from, end uint64, deliver func(ledger.Entry) error, classes ...ledger.Class) error {
	s.mu.Lock()
	entries := slices.Clone(s.entries)
	s.mu.Unlock()
	for _, e := range entries {
		if e.Seq < from || e.Seq > end || !slices.Contains(classes, e.Class) {
			continue
		}
		if err := deliver(e); err != nil {
			return err
		}
	}
	return nil
}

func (s *sheet) Extent(context.Context, int) (ledger.Extent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.entries) == 0 {
		return ledger.Extent{}, nil
	}
	return ledger.Extent{First: 1, End: uint64(len(s.entries))}, nil
}

func (s *sheet) ReadAbout(ctx context.Context, tenant string, start ledger.Start, end uint64, deliver func(ledger.Entry) error) error {
	return s.ReadTenant(ctx, 0, tenant, start.Seq, end, deliver, ledger.Intents, ledger.Outcomes, ledger.Updates)
}

// updates are all updates, in order.
func (s *sheet) updates(t interface{ Fatal(...any) }) (all []order.Update) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if e.Class != ledger.Updates {
			continue
		}
		u, err := order.DecodeUpdate(e.Data)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	return all
}
