package audit

import (
	"cmp"
	"context"
	"hash/maphash"
	"time"

	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Options are what an audit may tolerate.
type Options struct {
	// Slack is how far clocks may differ, and how long a request may be on its way; 0 is
	// [DefaultSlack].
	Slack time.Duration
	// Grace is how long after its time an intent may be without its outcome; 0 is
	// [DefaultGrace].
	Grace time.Duration
	// Progress may be nil.
	Progress history.Progress
}

// The defaults. A worker gives an intent half a minute after its expiry to find out what
// became of it; then there may be a take-over.
const (
	DefaultSlack = 2 * time.Second
	DefaultGrace = 2 * time.Minute
)

// Run audits a stretch of a source. With a broker, its orders are compared; nil leaves that out.
// The error says that the audit could not be carried out; what it found is in the report.
func Run(ctx context.Context, src history.Source, broker Broker, s history.Stretch, o Options) (*Report, error) {
	extent := src.Extent()
	if err := extent.Has(s); err != nil {
		return nil, err
	}
	a := &audit{
		src: src, broker: broker, stretch: s, extent: extent,
		slack: cmp.Or(o.Slack, DefaultSlack), grace: cmp.Or(o.Grace, DefaultGrace), progress: o.Progress,
		asOf:   extent.AsOf,
		report: &Report{Source: src.Name(), Stretch: s, Statuses: make(map[order.Status]int), Shards: []Shard{}},
	}
	if a.progress == nil {
		a.progress = func(string, int, int) {}
	}
	if a.asOf.IsZero() {
		a.asOf = time.Now()
	}
	a.report.AsOf = a.asOf.UTC()
	if broker != nil {
		a.report.Broker = broker.Name()
	}
	a.print.SetSeed(maphash.MakeSeed())
	err := src.Read(ctx, s.Open(), a.progress, func(n int, e ledger.Entry) error { return a.take(ctx, n, &e) })
	if err == nil {
		err = a.close(ctx, a.src.Shards())
	}
	if err != nil {
		return nil, err
	}
	a.report.seal()
	return a.report, nil
}

// audit is one under way. It works on one shard at a time.
type audit struct {
	src          history.Source
	broker       Broker
	stretch      history.Stretch
	extent       history.Extent
	slack, grace time.Duration
	progress     history.Progress
	asOf         time.Time
	report       *Report

	print  maphash.Hash
	shard  *shard // the one that is read
	closed int    // all shards before this one are done
	found  int    // in the shard that is read
}

// cut says that the source ends before the ledger did.
func (a *audit) cut() bool { return !a.extent.Until.IsZero() || a.extent.To != 0 }

// take takes the next message.
func (a *audit) take(ctx context.Context, n int, e *ledger.Entry) error {
	if a.shard == nil || a.shard.n != n {
		if err := a.close(ctx, n); err != nil {
			return err
		}
		a.shard = newShard(a, n)
	}
	if a.stretch.After(*e) {
		return a.shard.behind(e)
	}
	a.shard.take(e)
	return nil
}

// close ends the shard that was read, and all others before a shard.
func (a *audit) close(ctx context.Context, before int) error {
	for ; a.closed < before; a.closed++ {
		s := a.shard
		if s == nil || s.n != a.closed {
			s = newShard(a, a.closed) // without a message: the broker may have orders all the same
		}
		if err := s.finish(ctx); err != nil {
			return err
		}
		a.found = 0
	}
	return nil
}

// find notes a violation in a shard.
func (s *shard) find(rule proof.Rule, tenant, says string, seqs ...uint64) {
	r := s.report
	if r.Violations == nil {
		r.Violations = make(map[proof.Rule]int)
	}
	r.Violations[rule]++
	if s.found++; s.found <= maxFindings {
		r.Findings = append(r.Findings, Finding{rule, classOf[rule], s.n, tenant, seqs, says})
	}
}

// key stands for a name of a tenant's: an id of an intent's, or of an order.
func (a *audit) key(tenant, name string) uint64 {
	a.print.Reset()
	a.print.WriteString(tenant)
	a.print.WriteByte('.')
	a.print.WriteString(name)
	return a.print.Sum64()
}
