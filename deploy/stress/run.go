package stress

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/parts"
	"github.com/orderfleet/orderfleet/shared/ledger"
)

// Run runs the whole system over the same load, once for each way of holding clients, and
// the bare loop before and after each, since a machine's speed drifts. The error says that
// a test could not be carried out; what it found is in the reports.
func Run(ctx context.Context, o Options, ways []parts.Clients) ([]Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	before, err := measureBare(ctx, o)
	if err != nil {
		return nil, err
	}
	reports := make([]Report, 0, len(ways))
	for _, way := range ways {
		o.Clients = way
		r, err := measure(ctx, o)
		if err != nil {
			return nil, err
		}
		after, err := measureBare(ctx, o)
		if err != nil {
			return nil, err
		}
		r.BareOrdersPerSecond = float64(2*o.total()) / (before + after).Seconds()
		r.Ratio = r.OrdersPerSecond / r.BareOrdersPerSecond
		reports = append(reports, *r)
		before = after
	}
	return reports, nil
}

// measureBare runs the yardstick against a broker of its own, and says how long it took.
func measureBare(ctx context.Context, o Options) (_ time.Duration, err error) {
	o.progress("bare SDK loop", 0, o.total())
	var broker parts.PaperReady
	paper, err := parts.Spawn(ctx, &broker, parts.Paper)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, paper.Stop()) }()
	loop, err := parts.Spawn(ctx, &struct{}{}, RoleBare, "--broker", broker.URL, "--orders", strconv.Itoa(o.total()))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, loop.Stop()) }()
	var result bareResult
	if err := loop.Read(&result); err != nil {
		return 0, err
	}
	o.progress("bare SDK loop", result.Orders, o.total())
	return result.Elapsed, nil
}

func (o Options) total() int { return o.Tenants * o.Orders }

func (o Options) progress(phase string, done, of int) {
	if o.Progress != nil {
		o.Progress(phase, done, of)
	}
}

// measure runs the whole system.
func measure(ctx context.Context, o Options) (r *Report, err error) {
	s, err := boot(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()

	watch := newWatch(s)
	if err := s.publish(ctx, o.turns(ctx, 0)); err != nil {
		return nil, err
	}
	if err := s.awaitOutcomes(ctx, o, watch); err != nil {
		return nil, err
	}
	if err := watch.look(); err != nil {
		return nil, err
	}
	r, err = s.compare(ctx, o)
	if err != nil {
		return nil, err
	}
	watch.fill(r, o.total())
	r.Idle = s.idle
	return r, nil
}

// system is the running parts.
type system struct {
	dir    string
	nats   *parts.Process
	paper  *parts.Process
	worker *parts.Process
	broker parts.PaperReady
	nc     *nats.Conn
	ledger *ledger.Ledger
	idle   *IdleCost
}

// boot starts the parts, each a process of its own.
func boot(ctx context.Context, o Options) (_ *system, err error) {
	s := &system{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "orderfleet-stress-"); err != nil {
		return nil, fmt.Errorf("stress: %w", err)
	}
	var server parts.NATSReady
	if s.nats, err = parts.Spawn(ctx, &server, parts.NATS, "--dir", s.dir, "--shards", strconv.Itoa(o.Shards)); err != nil {
		return nil, err
	}
	paperArgs := []string{}
	if o.NoDuplicateCheck {
		paperArgs = append(paperArgs, "--no-duplicate-check")
	}
	if s.paper, err = parts.Spawn(ctx, &s.broker, parts.Paper, paperArgs...); err != nil {
		return nil, err
	}
	if s.nc, err = nats.Connect(server.URL); err != nil {
		return nil, fmt.Errorf("stress: %w", err)
	}
	settings := ledger.DefaultSettings()
	settings.Shards = o.Shards
	if _, err := ledger.Provision(ctx, s.nc, settings); err != nil {
		return nil, err
	}
	if s.ledger, err = ledger.Open(ctx, s.nc); err != nil {
		return nil, err
	}
	return s, s.startWorker(ctx, o, server.URL)
}

// startWorker starts the worker; with idle tenants, twice: before and after the ledger
// knows them.
func (s *system) startWorker(ctx context.Context, o Options, natsURL string) (err error) {
	args := []string{"--nats", natsURL, "--broker", s.broker.URL, "--clients", string(o.Clients)}
	var ready parts.WorkerReady
	if s.worker, err = parts.Spawn(ctx, &ready, parts.Worker, args...); err != nil || o.IdleTenants == 0 {
		return err
	}
	before, err := parts.UsageOf(s.worker.PID())
	if err != nil {
		return err
	}
	none := ready
	if err := s.worker.Stop(); err != nil {
		return err
	}
	if err := s.introduce(ctx, o); err != nil {
		return err
	}
	if s.worker, err = parts.Spawn(ctx, &ready, parts.Worker, args...); err != nil {
		return err
	}
	after, err := parts.UsageOf(s.worker.PID())
	if err != nil {
		return err
	}
	s.idle = &IdleCost{Tenants: o.IdleTenants, RSS: mib(after.RSS - before.RSS), Goroutines: ready.Goroutines - none.Goroutines}
	s.idle.CPU, err = s.idleCPU(ctx, o)
	return err
}

// idleCPU is the share of a core that the worker uses without work, in percent, when it has
// looked who has open orders.
func (s *system) idleCPU(ctx context.Context, o Options) (float64, error) {
	o.progress("idle worker", 0, int((o.Calm+o.IdleFor)/time.Second))
	var used [2]time.Duration
	for i, wait := range []time.Duration{o.Calm, o.IdleFor} {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		now, err := parts.UsageOf(s.worker.PID())
		if err != nil {
			return 0, err
		}
		used[i] = now.CPU
	}
	return 100 * float64(used[1]-used[0]) / float64(o.IdleFor), nil
}

// stop ends the parts, those that depend on others first.
func (s *system) stop() error {
	var errs []error
	if s.worker != nil {
		errs = append(errs, s.worker.Stop())
	}
	if s.paper != nil {
		errs = append(errs, s.paper.Stop())
	}
	if s.nc != nil {
		s.nc.Close()
	}
	if s.nats != nil {
		errs = append(errs, s.nats.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// awaitOutcomes waits until every intent has its outcome. It asks the streams how many
// there are, which costs the system nothing that shows.
func (s *system) awaitOutcomes(ctx context.Context, o Options, w *watch) error {
	const interval = 50 * time.Millisecond
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	last := 0
	for still := time.Duration(0); ; still += interval {
		outcomes := -o.IdleTenants
		for shard := range o.Shards {
			n, err := s.ledger.Count(ctx, shard, ledger.Outcomes)
			if err != nil {
				return err
			}
			outcomes += int(n)
		}
		if err := w.look(); err != nil {
			return err
		}
		o.progress("whole system, clients "+string(o.Clients), outcomes, o.total())
		switch {
		case outcomes >= o.total():
			return nil
		case outcomes != last:
			last, still = outcomes, 0
		case still > o.Patience:
			return nil // what is missing will be reported as lost
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
