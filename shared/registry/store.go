package registry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Store is the bucket of tenants with its history, as who changes it sees it. Safe for
// concurrent use.
type Store struct {
	bucket *ledger.Bucket

	mu    sync.Mutex
	known *trust // as of revision asOf of the operators
	asOf  uint64
}

// NewStore makes a store of a ledger's bucket.
func NewStore(l *ledger.Ledger) *Store { return &Store{bucket: l.Bucket(ledger.TenantsBucket)} }

// Change is one change of a key, as the history has it.
type Change struct {
	// Name is the key as it stands there, Key what it is read as.
	Name     string
	Key      Key
	Revision uint64
	Time     time.Time // when the server took it
	// Record is what was written, as far as it could be read.
	Record Record
	// Err is why it does not count; nil if it does.
	Err error
}

// History calls deliver with every change of a key, or of all if it is the zero value, in
// their order, up to now.
func (s *Store) History(ctx context.Context, k Key, deliver func(Change) error) error {
	t, err := s.trust(ctx)
	if err != nil {
		return err
	}
	if k == (Key{}) {
		end, err := s.bucket.End(ctx)
		if err != nil {
			return err
		}
		return s.history(ctx, ">", end, t, deliver)
	}
	end, err := s.Last(ctx, k)
	if err != nil {
		return err
	}
	return s.history(ctx, k.String(), end, t, deliver)
}

func (s *Store) history(ctx context.Context, name string, end uint64, t *trust, deliver func(Change) error) error {
	last := make(map[string]uint64)
	return s.bucket.Read(ctx, name, ledger.Start{}, end, func(c ledger.KeyChange) error {
		after := last[c.Key]
		last[c.Key] = c.Revision
		return deliver(t.judge(c, after))
	})
}

// trust reads whose signatures count, and counted. Nobody changes what it returns.
func (s *Store) trust(ctx context.Context) (*trust, error) {
	end, err := s.Last(ctx, OperatorsKey)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	known, asOf := s.known, s.asOf
	s.mu.Unlock()
	if known != nil && asOf == end {
		return known, nil
	}
	t := new(trust)
	// Each list is judged by the one before it.
	if err := s.history(ctx, OperatorsKey.String(), end, t, func(c Change) error { return t.take(c) }); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known, s.asOf = t, end
	return t, nil
}

// Named is a signer by the name that the list of operators has for its key; as it is, if it is
// not on the list.
func (s *Store) Named(ctx context.Context, by *Signer) (*Signer, error) {
	t, err := s.trust(ctx)
	if err != nil {
		return by, err
	}
	if list := t.before(math.MaxUint64); list != nil {
		for _, o := range list.Operators {
			if o.Key == by.public {
				return &Signer{o.Name, by.public, by.pair}, nil
			}
		}
	}
	return by, nil
}

// Unclaimed says that there are no operators yet: every signature counts, and whoever makes the
// first list says whose do from then on.
func (s *Store) Unclaimed(ctx context.Context) (bool, error) {
	t, err := s.trust(ctx)
	return err == nil && len(t.lists) == 0, err
}

// Get reads what a key holds: its last change that counts, with no Record if there is none. The
// second value is the revision of its last change of all, behind which the next has to stand.
func (s *Store) Get(ctx context.Context, k Key) (Change, uint64, error) {
	found, last := Change{Name: k.String(), Key: k}, uint64(0)
	err := s.History(ctx, k, func(c Change) error {
		if last = c.Revision; c.Err == nil {
			found = c
		}
		return nil
	})
	return found, last, err
}

// Last is the revision of a key's last change, 0 if there was none: that to [Store.Write]
// after, for who need not know what it holds.
func (s *Store) Last(ctx context.Context, k Key) (uint64, error) {
	return s.bucket.Last(ctx, k.String())
}

// Write changes what a key holds, or removes it if body is nil, and returns the new revision.
// After is the revision of the key's last change: if somebody changed it meanwhile, the error
// is one for which [ledger.IsConflict] is true. It is [ErrNotAllowed] if the change would not
// count. After any other error of the server's, the change may have been made.
func (s *Store) Write(ctx context.Context, by *Signer, k Key, body any, reason string, after uint64) (uint64, error) {
	r := Record{Key: k.String(), After: after, By: by.name, Signer: by.public, At: time.Now().UTC(), Reason: reason}
	if body != nil {
		var err error
		if r.Body, err = json.Marshal(body, json.Deterministic(true), order.Decimals()); err != nil {
			return 0, fmt.Errorf("registry: %s: %w", k, err)
		}
	}
	data, err := r.encode(by)
	if err != nil {
		return 0, fmt.Errorf("registry: %s: %w", k, err)
	}
	t, err := s.trust(ctx)
	if err != nil {
		return 0, err
	}
	if err := t.check(k, &r, math.MaxUint64); err != nil {
		return 0, fmt.Errorf("%w: it is none of the operators' (fleetctl operator list)", err)
	}
	revision, err := s.bucket.Put(ctx, k.String(), data, after, 0)
	if err != nil {
		return 0, fmt.Errorf("registry: %w", err)
	}
	return revision, nil
}

// Admit writes a record that somebody else has signed, if it would count, and returns the new
// revision. It is [ErrMalformed], [ErrMisplaced], [ErrSignature] or [ErrNotAllowed] if it would
// not, and otherwise fails as [Store.Write] does.
func (s *Store) Admit(ctx context.Context, k Key, data []byte) (uint64, error) {
	r, err := decode(k, 0, math.MaxUint64, data)
	if err != nil {
		return 0, err
	}
	t, err := s.trust(ctx)
	if err != nil {
		return 0, err
	}
	if err := t.check(k, &r, math.MaxUint64); err != nil {
		return 0, err
	}
	revision, err := s.bucket.Put(ctx, k.String(), data, r.After, 0)
	if err != nil {
		return 0, fmt.Errorf("registry: %w", err)
	}
	return revision, nil
}

// attempts is how often a change is made anew that met another one.
const attempts = 5

// again makes a change, and makes it anew from the start if somebody else was faster.
func again(change func() (uint64, error)) (uint64, error) {
	for attempt := 1; ; attempt++ {
		revision, err := change()
		if !ledger.IsConflict(err) || attempt == attempts {
			return revision, err
		}
	}
}

// Set is [Store.Write] behind whatever the key's last change is.
func (s *Store) Set(ctx context.Context, by *Signer, k Key, body any, reason string) (uint64, error) {
	return again(func() (uint64, error) {
		last, err := s.Last(ctx, k)
		if err != nil {
			return 0, err
		}
		return s.Write(ctx, by, k, body, reason, last)
	})
}

// Edit reads what a key holds, lets change say what it is to hold instead (nil: it is
// removed), and writes that; again from the start if somebody else was faster. Now is nil if
// the key holds nothing.
func Edit[T any](ctx context.Context, s *Store, by *Signer, k Key, reason string, change func(now *T) (*T, error)) (uint64, error) {
	return again(func() (uint64, error) {
		c, last, err := s.Get(ctx, k)
		if err != nil {
			return 0, err
		}
		now, err := Held[T](c)
		if err != nil {
			return 0, err
		}
		then, err := change(now)
		if err != nil {
			return 0, err
		}
		var body any
		if then != nil {
			body = then
		}
		return s.Write(ctx, by, k, body, reason, last)
	})
}

// Held is what a key holds after a change, as the type that its kind says; nil if nothing.
func Held[T any](c Change) (*T, error) {
	if c.Record.Removed() {
		return nil, nil
	}
	held := new(T)
	if err := json.Unmarshal(c.Record.Body, held, order.Decimals()); err != nil {
		return nil, fmt.Errorf("registry: %s: %w", c.Name, err)
	}
	return held, nil
}

// ErrNothing says that what was to be removed is not there.
var ErrNothing = errors.New("registry: there is nothing to remove")

// Remove makes a key hold nothing, and returns the revision. It is [ErrNothing] if it holds
// nothing already.
func (s *Store) Remove(ctx context.Context, by *Signer, k Key, reason string) (uint64, error) {
	return Edit(ctx, s, by, k, reason, func(now *jsontext.Value) (*jsontext.Value, error) {
		if now == nil {
			return nil, fmt.Errorf("%w: %s", ErrNothing, k)
		}
		return nil, nil
	})
}
