package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// Event is a fault that was injected.
type Event struct {
	At     time.Time     `json:"at"`
	Fault  string        `json:"fault"`
	Target string        `json:"target,omitempty"`
	For    time.Duration `json:"for_ns"`
	Alone  bool          `json:"alone,omitempty"`

	kind   string
	held   []int // the shards that the worker held
	before []string
	after  []string // who held the shards when the tenants had been watched
}

// A worker leaves alone when the shards have had their owners for so long; that is waited
// for, but not for ever.
const (
	settle         = 1500 * time.Millisecond
	settlePatience = 3 * time.Second
)

// storming is the lanes at work.
type storming struct {
	*system
	began time.Time
	busy  atomic.Int32 // faults at work

	mu     sync.Mutex
	events []*Event
	missed int // faults that found nothing to strike, or whose time had gone by
}

// run carries a plan out, a goroutine a lane, and waits for all of them. The first error
// ends it.
func (st *storming) run(ctx context.Context, plan []Fault) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var lanes sync.WaitGroup
	for _, p := range patterns {
		faults := slices.DeleteFunc(slices.Clone(plan), func(f Fault) bool { return f.Lane != p.lane })
		lanes.Go(func() {
			for i := range faults {
				if !sleep(ctx, time.Until(st.began.Add(faults[i].At))) {
					return
				}
				if late := time.Since(st.began.Add(faults[i].end())); late > 0 && faults[i].Kind != Join {
					st.miss() // its time has gone by
					continue
				}
				if err := st.inject(ctx, &faults[i]); err != nil && ctx.Err() == nil {
					cancel(fmt.Errorf("%s: %w", faults[i].Name(), err))
					return
				}
			}
		})
	}
	lanes.Wait()
	return context.Cause(ctx)
}

// inject injects one fault, and heals it when its time is over.
func (st *storming) inject(ctx context.Context, f *Fault) error {
	st.busy.Add(1)
	defer st.busy.Add(-1)
	e := &Event{Fault: f.Name(), For: f.For, Alone: f.Alone && st.calm(ctx), kind: f.Kind}
	switch f.Lane {
	case Workers:
		return st.worker(ctx, f, e)
	case Network:
		struck, target := st.wires.pick(f.Link, f.Pick)
		if len(struck) == 0 {
			st.miss()
			return nil
		}
		e.Target = target
		st.note(e)
		err := disturb(struck, f.Kind)
		sleep(ctx, f.For)
		return errors.Join(err, heal(ctx, struck))
	case Broker:
		st.note(e)
		if err := st.misbehave(ctx, f.Misbehaviour); err != nil {
			return err
		}
		sleep(ctx, f.For)
		return st.behave(ctx)
	case Clock:
		e.Target = f.Step.Round(time.Second).String()
		st.note(e)
		if err := st.setClock(ctx, f.Step); err != nil {
			return err
		}
		sleep(ctx, f.For)
		return st.setClock(ctx, 0)
	case NATS:
		return st.server(ctx, f, e)
	case Operator:
		return st.operate(ctx, f)
	}
	return nil
}

// calm waits until everything has settled, and says whether it has: a storm may last
// longer than its schedule.
func (st *storming) calm(ctx context.Context) bool {
	for until := time.Now().Add(settlePatience); time.Now().Before(until); {
		if st.busy.Load() == 1 && st.leases.settled(st.pool.names(), settle) {
			return true
		}
		if !sleep(ctx, 50*time.Millisecond) {
			break
		}
	}
	return false
}

// note records a fault as it strikes.
func (st *storming) note(e *Event) {
	e.At = time.Now()
	st.mu.Lock()
	st.events = append(st.events, e)
	n := len(st.events)
	st.mu.Unlock()
	st.tell(*e)
	st.progress("faults", n, n+1)
}

func (st *storming) tell(e Event) {
	if st.Tell != nil {
		st.Tell(e)
	}
}

// miss counts a fault that was not injected.
func (st *storming) miss() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.missed++
}

// worker makes a worker leave, or freezes it. At the end there are at least as many workers
// as the fault says.
func (st *storming) worker(ctx context.Context, f *Fault, e *Event) error {
	holders := st.leases.holders()
	w := st.pool.choose(f.Pick, holders)
	if w == nil || f.Kind == Join {
		return st.pool.fill(f.Workers)
	}
	e.Target, e.before = w.name, holders
	for shard, holder := range e.before {
		if holder == w.name {
			e.held = append(e.held, shard)
		}
	}
	st.note(e)
	var err error
	switch f.Kind {
	case Kill:
		err = st.pool.tell(w, func() error { return w.proc.Signal(os.Kill) })
	case Drain:
		err = st.pool.tell(w, w.proc.Terminate)
	case Freeze:
		err = w.freeze(ctx, f.For)
	}
	if f.Kind != Freeze {
		sleep(ctx, f.For)
	}
	e.after = st.leases.holders()
	return errors.Join(err, st.pool.fill(f.Workers))
}

// freeze stops a worker where it stands, for a while, unless it ends meanwhile.
func (w *worker) freeze(ctx context.Context, d time.Duration) error {
	if err := w.proc.Freeze(); err != nil {
		return ignoreEnded(w, err)
	}
	sleep(ctx, d)
	return ignoreEnded(w, w.proc.Thaw())
}

// ignoreEnded is nil if the worker has ended by itself.
func ignoreEnded(w *worker, err error) error {
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	select {
	case <-w.ended:
		return nil
	default:
		return err
	}
}

// server does something to NATS servers.
func (st *storming) server(ctx context.Context, f *Fault, e *Event) error {
	i := st.leader(ctx, int(f.Pick%uint64(st.Shards)))
	e.Target = serverName(i)
	v := st.nats[i]
	switch f.Kind {
	case KillLeader:
		st.note(e)
		if err := v.kill(); err != nil {
			return err
		}
		sleep(ctx, f.For)
		return v.start()
	case FreezeLeader:
		st.note(e)
		if err := v.proc.Freeze(); err != nil {
			return err
		}
		sleep(ctx, f.For)
		return v.proc.Thaw()
	}
	e.Target = "all"
	st.note(e)
	var errs []error
	for _, v := range st.nats {
		errs = append(errs, v.kill())
	}
	for _, v := range st.nats {
		errs = append(errs, v.start())
	}
	return errors.Join(errs...)
}

// leader is the server that leads a shard's stream, or any if none does.
func (st *storming) leader(ctx context.Context, shard int) int {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	stream, err := st.ledger.JetStream().Stream(ctx, ledger.StreamName(shard))
	if err != nil || stream.CachedInfo().Cluster == nil {
		return shard % servers
	}
	for i := range servers {
		if serverName(i) == stream.CachedInfo().Cluster.Leader {
			return i
		}
	}
	return shard % servers
}

// healAll heals everything, whatever a lane left behind.
func (st *storming) healAll(ctx context.Context) error {
	errs := []error{heal(ctx, st.wires.all), st.behave(ctx), st.setClock(ctx, 0)}
	for _, v := range st.nats {
		errs = append(errs, v.start())
	}
	return errors.Join(append(errs, st.pool.fill(minWorkers))...)
}
