package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
	"golang.org/x/sync/errgroup"
)

// Conditions are those under which a shadow runs. The zero value is: at once, nothing goes
// wrong, and nobody limits anybody.
type Conditions struct {
	// Pace of the intents. Lifetimes are as much shorter as time goes by faster.
	Pace Pace
	// PerMinute is each tenant's limit of requests a minute; 0 is none. It needs the original
	// pace: at another one it would let go either everything or too little.
	PerMinute int
	// Faults of each tenant's broker; their accounts are tenants. One with a count needs an
	// operation, and none can be of the stream. One with a probability below 1 strikes the same
	// request a few times at most, unless it says how often itself.
	Faults []paper.Fault
	// Seed of faults.
	Seed uint64
	// Cash that each tenant begins with, in dollars; 0 is the paper broker's default.
	Cash decimal.Decimal
	// Prices that stay what they are, by symbol. Others move with the fills on the ledger.
	Prices map[string]decimal.Decimal
	// Patience is how long an intent may take, at once, if it had not expired when it was
	// published; 0 is [DefaultPatience]. At another pace its own lifetime counts.
	Patience time.Duration

	Log zerolog.Logger
}

// DefaultPatience is long enough for every fault that comes to an end by itself.
const DefaultPatience = 2 * time.Minute

// mostStrikes bounds how often a fault by chance strikes the same request: so that whether
// it gets through is a matter of the seed, not of time.
const mostStrikes = 5

// ErrConditions says that a shadow cannot run under its conditions.
var ErrConditions = errors.New("replay: conditions")

// Fate is what became of an intent in a shadow.
type Fate struct {
	Outcome order.Outcome
	// Fill is how its order stands at the end; zero if nothing was to be compared.
	Fill Fill
}

// Shadow runs what was asked of a ledger with so many shards through a worker of its own
// against paper brokers of its own, and returns what became of each. It tells progress.
func Shadow(ctx context.Context, shards int, all []*Asked, c Conditions, progress history.Progress) (_ []Fate, err error) {
	if c.Patience == 0 {
		c.Patience = DefaultPatience
	}
	s := &shadow{Conditions: c, all: all, fates: make([]Fate, len(all)), accounts: make(map[string]*account), prices: newPrices(all, c.Prices), progress: progress}
	if err := s.openAccounts(); err != nil || len(all) == 0 {
		return nil, err
	}
	if s.stage, err = newStage(ctx, shards, sessions, http.HandlerFunc(s.route), s.connect, c.Log); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stage.close()) }()
	if err := s.play(ctx); err != nil {
		return nil, err
	}
	return s.fates, nil
}

// shadow is one run of it.
type shadow struct {
	Conditions
	all      []*Asked
	fates    []Fate              // of all; each is written by its tenant's goroutine
	accounts map[string]*account // by tenant; nobody changes it while it plays
	prices   *prices
	stage    *stage
	begun    time.Time
	done     atomic.Int64 // intents with an outcome
	progress history.Progress
}

func (s *shadow) openAccounts() error {
	faults, err := s.faults()
	if err != nil {
		return err
	}
	for i, a := range s.all {
		if s.accounts[a.Tenant] == nil {
			s.accounts[a.Tenant] = &account{shadow: s, tenant: a.Tenant, outcomes: make(chan order.Outcome, 1)}
		}
		s.accounts[a.Tenant].its = append(s.accounts[a.Tenant].its, i)
	}
	for _, a := range s.accounts {
		if err := a.open(faults); err != nil {
			return err
		}
	}
	return nil
}

// faults are those given, made such that time does not matter.
func (s *shadow) faults() ([]paper.Fault, error) {
	if s.PerMinute > 0 && s.Pace != Original {
		return nil, fmt.Errorf("%w: a limit needs the original pace", ErrConditions)
	}
	all := slices.Clone(s.Faults)
	for i := range all {
		f := &all[i]
		if f.Count > 0 && f.Operation == paper.Any {
			return nil, fmt.Errorf("%w: a fault with a count needs an operation", ErrConditions)
		}
		if f.Operation == paper.Stream {
			return nil, fmt.Errorf("%w: a fault of the stream changes nothing: what is compared is the broker's own books", ErrConditions)
		}
		if f.Probability > 0 && f.Probability < 1 && f.Most == 0 {
			f.Most = mostStrikes
		}
	}
	return all, nil
}

// sessions is how many tenants are served at a time.
const sessions = 128

// play lets every tenant go through its intents.
func (s *shadow) play(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	readers, reading := errgroup.WithContext(ctx)
	shards := make(map[int]bool)
	for _, a := range s.all {
		shards[a.Shard] = true
	}
	for shard := range shards {
		readers.Go(func() error { return s.read(reading, shard) })
	}
	players, playing := errgroup.WithContext(reading)
	if s.Pace == AtOnce {
		players.SetLimit(sessions)
	}
	ended := make(chan struct{})
	readers.Go(func() error { return s.watch(reading, ended) })
	s.begun = time.Now()
	for _, name := range slices.Sorted(maps.Keys(s.accounts)) {
		players.Go(func() error { return s.accounts[name].play(playing) })
	}
	err := players.Wait()
	close(ended)
	cancel(errPlayed)
	if why := readers.Wait(); !errors.Is(why, errPlayed) {
		return why // it ended the players as well
	}
	return err
}

// errPlayed ends the readers when everything has its outcome.
var errPlayed = errors.New("replay: played")

// read hands a shard's outcomes to the tenants, each of which has one intent under way.
func (s *shadow) read(ctx context.Context, shard int) error {
	return s.stage.ledger.Tail(ctx, shard, 1, func(e ledger.Entry) error {
		if e.Class != ledger.Outcomes {
			return nil
		}
		o, err := order.DecodeOutcome(e.Data)
		if err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		select {
		case s.accounts[e.Tenant].outcomes <- o:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// watch ends the play if the worker ends before it, and tells progress.
func (s *shadow) watch(ctx context.Context, ended <-chan struct{}) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.progress("replaying to the shadow", min(int(s.done.Load()), len(s.all)-1), len(s.all))
		case err := <-s.stage.worker:
			s.stage.worker <- err // close takes it
			return fmt.Errorf("replay: the worker ended: %w", err)
		case <-ended:
			s.progress("replaying to the shadow", len(s.all), len(s.all))
			return errPlayed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// secret is of no use but to a shadow's brokers.
const secret = "shadow"

// connect makes a tenant's line to its paper broker, which is behind the stage's door. There
// is no other one: nothing here knows an address of the outside, or a key to it.
func (s *shadow) connect(_ context.Context, url, name string) (broker.Line, error) {
	a := s.accounts[name]
	if a == nil {
		return broker.Line{}, fmt.Errorf("%w: %s", tenant.ErrUnknown, name)
	}
	if refused := a.refused.Load(); refused != nil {
		return broker.Line{}, *refused
	}
	client, err := alpaca.New(alpaca.Config{Tenant: name, BaseURL: url, Credentials: tenant.Credentials{KeyID: name, Secret: secret}, Logger: s.Log})
	return broker.Line{Client: client, Address: "the broker of " + name, PerMinute: s.PerMinute}, err
}

// route leads a request to the broker of its tenant.
func (s *shadow) route(w http.ResponseWriter, r *http.Request) {
	a := s.accounts[r.Header.Get("Apca-Api-Key-Id")]
	if a == nil {
		http.Error(w, "no such account", http.StatusUnauthorized)
		return
	}
	a.handler.ServeHTTP(w, r)
}
