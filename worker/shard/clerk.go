package shard

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/worker/reconcile"
	"github.com/rs/zerolog"
)

// Reconcile is how the shards of a worker reconcile their tenants with their brokers.
type Reconcile struct {
	reconcile.Config
	// Every is how often it is each tenant's turn; 0 is never but when an operator asks.
	Every time.Duration
	// Delay is how long after a shard was taken the first turns begin, at most: orders come
	// first.
	Delay time.Duration
}

const (
	// maxClerks bounds the tenants of a shard that are reconciled at once because operators
	// ask for it.
	maxClerks = 4
	// leastGap is between the turns of two tenants, at least.
	leastGap = 250 * time.Millisecond
	// firstWindow is how far back the first turn after a take-over compares; each later one
	// goes back to the one before, if that found nothing.
	firstWindow = 24 * time.Hour
	// overlap is by how much windows overlap.
	overlap = 5 * time.Minute
	// longHistory is how many outcomes make a tenant's history too long to be read from its
	// beginning at each turn: what the account holds is then compared for operators alone.
	longHistory = 10_000
)

// clerk reconciles a shard's tenants: one after the other on its schedule, and whenever an
// operator asks. Goroutines of its own do that, beside the shard's and the sessions', with
// lines to the brokers of their own; they share no more with a session than its tenant's rate
// limit, of which they take a small part.
type clerk struct {
	ctx     context.Context // ends its work
	cfg     *Reconcile
	shard   int
	runner  *reconcile.Runner
	traders func(ctx context.Context, shard int) (map[string]uint64, error)
	load    *Load
	log     zerolog.Logger

	mu    sync.Mutex
	under map[string]bool // tenants whose turn it is; true: an operator asked
	asked int             // how many operators asked for
	work  sync.WaitGroup

	tenants map[string]*turn // the schedule's own
}

// turn is what the schedule remembers of a tenant.
type turn struct {
	since  time.Time // from when on the next turn compares
	differ string    // the differences that were logged
	failed string    // why it could not be reconciled, as it was logged
}

// hire starts the clerk of a folded shard; nil if it has none. ctx ends its work.
func (s *shard) hire(ctx context.Context) *clerk {
	cfg := s.cfg.Reconcile
	if cfg == nil {
		return nil
	}
	owner := reconcile.Owner{Shard: s.lease.Shard, Epoch: s.lease.Epoch, Until: s.lease.Until}
	c := &clerk{
		ctx: ctx, cfg: cfg, shard: s.lease.Shard, runner: reconcile.NewRunner(&cfg.Config, owner),
		traders: s.cfg.Session.Ledger.Traders, load: s.cfg.Load, log: s.log, under: make(map[string]bool), tenants: make(map[string]*turn),
	}
	if cfg.Every > 0 {
		c.work.Go(c.schedule)
	}
	return c
}

// begin reserves a tenant's turn; the refusal is why not, and empty if it is.
func (c *clerk) begin(tenant string, asked bool) (refusal string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, busy := c.under[tenant]; busy {
		return "the tenant is being reconciled already"
	}
	if asked && c.asked == maxClerks {
		return fmt.Sprintf("%d tenants of the shard are being reconciled already", maxClerks)
	}
	c.under[tenant] = asked
	if asked {
		c.asked++
	}
	return ""
}

func (c *clerk) done(tenant string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.under[tenant] {
		c.asked--
	}
	delete(c.under, tenant)
}

// attend reconciles a tenant because an operator asks. It returns at once.
func (c *clerk) attend(call *inquiry.Call) {
	if why := c.begin(call.Tenant, true); why != "" {
		call.Refuse(inquiry.Busy, "%s", why)
		return
	}
	call.Take()
	c.work.Go(func() {
		defer c.done(call.Tenant)
		found, err := c.guarded(c.ctx, reconcile.Request{Tenant: call.Tenant, Since: call.Since, Repair: call.Repair})
		c.note(&call.Question, found.Repaired, err)
		switch {
		case err == nil:
			call.Answer(inquiry.Answer{Reconciliation: &found})
		case c.ctx.Err() != nil:
			call.Refuse(inquiry.Leaving, "the worker gives the shard up")
		default:
			call.Refuse(inquiry.Failed, "%s", err)
		}
	})
}

// note logs what an operator had written, if that was anything.
func (c *clerk) note(q *inquiry.Question, repaired int, err error) {
	if repaired == 0 {
		return
	}
	c.log.Info().Str("tenant", q.Tenant).Str("by", q.By).Str("reason", q.Reason).
		Int("repaired", repaired).Err(err).Msg("an operator had missing updates written")
}

// schedule gives every tenant that has outcomes its turn, again and again: soon after the
// shard was taken, and then spread over the interval.
func (c *clerk) schedule() {
	ctx := c.ctx
	defer c.keep(map[string]uint64{})
	if !wait(ctx, rand.N(c.cfg.Delay+1)) {
		return
	}
	for first := true; ; first = false {
		began := time.Now()
		traders, err := c.traders(ctx, c.shard)
		if err != nil {
			c.log.Warn().Err(err).Msg("cannot find out who is to be reconciled")
		}
		c.keep(traders)
		gap := leastGap
		if !first {
			gap = max(gap, c.cfg.Every/time.Duration(len(traders)+1))
		}
		for tenant, outcomes := range traders { // in no order, which spreads them too
			c.visit(ctx, tenant, outcomes)
			if !wait(ctx, gap/2+rand.N(gap)) {
				return
			}
		}
		if !wait(ctx, c.cfg.Every-time.Since(began)) {
			return
		}
	}
}

// visit is a tenant's turn. What is missing on the ledger is written, as whoever follows the
// tenant's orders would have: it changes nothing at the broker.
func (c *clerk) visit(ctx context.Context, tenant string, outcomes uint64) {
	if c.begin(tenant, false) != "" {
		return // an operator has it looked at
	}
	defer c.done(tenant)
	now := time.Now()
	t := c.tenants[tenant]
	if t == nil {
		t = &turn{since: now.Add(-firstWindow)}
		c.tenants[tenant] = t
	}
	q := reconcile.Request{Tenant: tenant, Since: t.since, Repair: true}
	if outcomes > longHistory {
		q.From = t.since
	}
	found, err := c.guarded(ctx, q)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		level := zerolog.DebugLevel
		if why := kindOf(err); t.failed != why { // once: it may last
			level, t.failed = zerolog.WarnLevel, why
		}
		c.log.WithLevel(level).Str("tenant", tenant).Err(err).Msg("not reconciled; it will be its turn again")
	default:
		c.log.Debug().Str("tenant", tenant).Int("orders", found.Orders).Int("requests", found.Requests).Dur("took", time.Since(now)).Msg("reconciled")
		if t.failed != "" {
			c.log.Info().Str("tenant", tenant).Msg("reconciled again")
			t.failed = ""
		}
		if len(found.Left()) == 0 {
			t.since = now.Add(-overlap)
		}
		c.tell(tenant, t, &found)
	}
}

// kindOf is what makes a failure to reconcile the same at another time.
func kindOf(err error) string {
	for _, known := range []error{reconcile.ErrLimited, reconcile.ErrRefused, reconcile.ErrUnanswered} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

// guarded keeps a bug of ours in what reconciles one tenant from becoming every tenant's outage.
func (c *clerk) guarded(ctx context.Context, q reconcile.Request) (found inquiry.Reconciliation, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a bug of the worker's: %v", p)
			c.log.Error().Str("tenant", q.Tenant).Interface("panic", p).Bytes("stack", debug.Stack()).Msg("panic while reconciling a tenant")
		}
	}()
	return c.runner.Run(ctx, q)
}

// tell logs what differs, if it is not what was logged last.
func (c *clerk) tell(tenant string, t *turn, found *inquiry.Reconciliation) {
	if found.Repaired > 0 {
		c.log.Warn().Str("tenant", tenant).Int("repaired", found.Repaired).Msg("reconciled: updates were missing on the ledger, and were written")
	}
	left := found.Left()
	differ := digest(left)
	if differ == t.differ {
		return
	}
	c.count(t.differ != "", differ != "")
	t.differ = differ
	if differ == "" {
		c.log.Info().Str("tenant", tenant).Msg("broker and ledger agree again")
		return
	}
	const most = 10 // of them are told in one event
	c.log.Warn().Str("tenant", tenant).Int("differences", len(left)+found.More).Interface("first", left[:min(len(left), most)]).
		Msg("broker and ledger differ; see fleetctl reconcile")
}

// count keeps the worker's count of tenants of which broker and ledger differ.
func (c *clerk) count(before, after bool) {
	switch {
	case c.load == nil || before == after:
	case after:
		c.load.Differing.Add(1)
	default:
		c.load.Differing.Add(-1)
	}
}

// keep forgets all tenants but these; nil says nothing.
func (c *clerk) keep(traders map[string]uint64) {
	for tenant, t := range c.tenants {
		if _, ok := traders[tenant]; !ok && traders != nil {
			c.count(t.differ != "", false)
			delete(c.tenants, tenant)
		}
	}
}

// digest is what makes differences the same at another time; empty for none.
func digest(found []inquiry.Difference) string {
	if len(found) == 0 {
		return ""
	}
	all := sha256.New()
	for _, d := range found {
		fmt.Fprintln(all, d.Kind, d.BrokerOrderID, d.Symbol, d.Message)
	}
	return string(all.Sum(nil))
}

// wait waits, and says whether to go on.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
