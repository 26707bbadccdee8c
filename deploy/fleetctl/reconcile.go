package fleetctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/ledger"
)

// Reconcile asks the owners of shards to reconcile tenants with their brokers.
type Reconcile struct {
	// Tenants to reconcile; none are all that have outcomes.
	Tenants []string
	// Since bounds what is compared; zero is everything. See [inquiry.Reconciliation].
	Since time.Time
	// Repair has the updates written that are missing; By and Reason go into the worker's log.
	Repair     bool
	By, Reason string
}

// Reconciled is what became of one tenant. Its names in JSON are part of the contract.
type Reconciled struct {
	Tenant string `json:"tenant"`
	Shard  int    `json:"shard"`
	// Worker answered, and owns the shard under this epoch.
	Worker string `json:"worker,omitzero"`
	Epoch  uint64 `json:"epoch,omitzero"`
	// Found is nil if nobody answered, or the owner could not do it: Problem says why.
	Found   *inquiry.Reconciliation `json:"found,omitzero"`
	Problem string                  `json:"problem,omitzero"`
}

// Differs is how many differences are left.
func (r *Reconciled) Differs() int {
	if r.Found == nil {
		return 0
	}
	return len(r.Found.Left()) + r.Found.More
}

const (
	// perShard is how many tenants of a shard are asked for at once: fewer than its owner
	// takes.
	perShard = 2
	// handOver is how long a shard may have nobody to answer before it counts as not served.
	handOver = 3 * time.Second
	// askAgain is between two questions.
	askAgain = 250 * time.Millisecond
)

// Run asks for every tenant, several at once, and calls tell for each as it is done, one at a
// time. Tenants whose shard nobody serves are told as such. It fails if it cannot be found out
// which tenants there are, or with ctx's error.
func (q Reconcile) Run(ctx context.Context, l *ledger.Ledger, nc *nats.Conn, progress func(phase string, done, of int), tell func(Reconciled)) error {
	tenants := q.Tenants
	if len(tenants) == 0 {
		var err error
		if tenants, err = traders(ctx, l); err != nil {
			return err
		}
	}
	byShard := make(map[int][]string)
	for _, tenant := range tenants {
		byShard[l.ShardOf(tenant)] = append(byShard[l.ShardOf(tenant)], tenant)
	}
	var (
		told sync.Mutex
		done int
		work sync.WaitGroup
	)
	for shard, names := range byShard {
		queue := make(chan string, len(names))
		for _, name := range names {
			queue <- name
		}
		close(queue)
		s := &asked{Reconcile: q, nc: nc, shard: shard, began: time.Now()}
		for range min(perShard, len(names)) {
			work.Go(func() {
				for name := range queue {
					r := s.one(ctx, name)
					told.Lock()
					done++
					progress("reconciling", done, len(tenants))
					tell(r)
					told.Unlock()
				}
			})
		}
	}
	work.Wait()
	return context.Cause(ctx)
}

// traders are all tenants that have outcomes, by name.
func traders(ctx context.Context, l *ledger.Ledger) ([]string, error) {
	all := make(map[string]uint64)
	for shard := range l.Shards() {
		some, err := l.Traders(ctx, shard)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, some)
	}
	return slices.Sorted(maps.Keys(all)), nil
}

// asked is a shard whose owner is asked.
type asked struct {
	Reconcile
	nc    *nats.Conn
	shard int

	mu    sync.Mutex
	began time.Time // since when nobody answers
}

// one asks for one tenant, until somebody answers or too long nobody does.
func (s *asked) one(ctx context.Context, tenant string) Reconciled {
	r := Reconciled{Tenant: tenant, Shard: s.shard}
	for {
		a, err := inquiry.Ask(ctx, s.nc, s.shard, inquiry.Question{
			Verb: inquiry.Reconcile, Tenant: tenant, Since: s.Since, Repair: s.Repair, By: s.By, Reason: s.Reason,
		})
		if err == nil && a.Reconciliation == nil {
			err = errors.New("the answer has no findings in it")
		}
		if err == nil {
			s.answered()
			r.Worker, r.Epoch, r.Found = a.Worker, a.Epoch, a.Reconciliation
			return r
		}
		if !s.again(err) || !rest(ctx, askAgain) {
			r.Problem = err.Error()
			if refused, ok := errors.AsType[*inquiry.RefusedError](err); ok {
				r.Worker, r.Problem = refused.Worker, refused.Message
			}
			return r
		}
	}
}

// answered notes that the shard has an owner that answers.
func (s *asked) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began = time.Now()
}

// again says whether to ask again: an owner that has its hands full is waited for, and for a
// while a shard that has none.
func (s *asked) again(err error) bool {
	if refused, ok := errors.AsType[*inquiry.RefusedError](err); ok {
		if refused.Code == inquiry.Busy {
			s.answered()
		}
		return inquiry.Passing(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return inquiry.Passing(err) && time.Since(s.began) < handOver
}

// rest waits, and says whether to go on.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Tally counts what became of tenants.
type Tally struct {
	Reconciled, Differing int
	Differences, Repaired int
	// Unreached are the tenants of which nothing is known, by shard.
	Unreached map[int][]string
}

// Add counts a tenant in.
func (t *Tally) Add(r *Reconciled) {
	if r.Found == nil {
		if t.Unreached == nil {
			t.Unreached = make(map[int][]string)
		}
		t.Unreached[r.Shard] = append(t.Unreached[r.Shard], r.Tenant)
		return
	}
	t.Reconciled++
	t.Repaired += r.Found.Repaired
	if n := r.Differs(); n > 0 {
		t.Differing++
		t.Differences += n
	}
}

// Err says what is not as it should be; nil if everything is, by now.
func (t *Tally) Err() error {
	var wrong []string
	if t.Differing > 0 {
		wrong = append(wrong, fmt.Sprintf("broker and ledger differ for %d of %d tenants, in %d things", t.Differing, t.Reconciled, t.Differences))
	}
	for _, shard := range slices.Sorted(maps.Keys(t.Unreached)) {
		const most = 5
		names := t.Unreached[shard]
		slices.Sort(names)
		list := strings.Join(names[:min(len(names), most)], ", ")
		if len(names) > most {
			list += ", ..."
		}
		wrong = append(wrong, fmt.Sprintf("SHARD %d: %d tenants were not reconciled: %s", shard, len(names), list))
	}
	if len(wrong) == 0 {
		return nil
	}
	return errors.New(strings.Join(wrong, "; "))
}

// Print writes for people what differs of a tenant; nothing if nothing does.
func (r *Reconciled) Print(w io.Writer) {
	if r.Found == nil {
		fmt.Fprintf(w, "%s (shard %d): NOT RECONCILED: %s\n", r.Tenant, r.Shard, r.Problem)
		return
	}
	if len(r.Found.Differences) == 0 {
		return
	}
	fmt.Fprintf(w, "%s (shard %d, worker %s, epoch %d): %d orders compared\n", r.Tenant, r.Shard, r.Worker, r.Epoch, r.Found.Orders)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, d := range r.Found.Differences {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\n", d.Kind, cmp.Or(d.Symbol, "-"), cmp.Or(d.BrokerOrderID, "-"), where(&d), quantities(&d), said(&d))
	}
	table.Flush() //nolint:errcheck // as any print to w
	if r.Found.More > 0 {
		fmt.Fprintf(w, "  and %d more\n", r.Found.More)
	}
	if r.Found.Unheld != "" {
		fmt.Fprintf(w, "  positions are not compared: %s\n", r.Found.Unheld)
	}
}

// where is what the ledger tells of a difference.
func where(d *inquiry.Difference) string {
	switch {
	case d.IntentSeq > 0:
		return fmt.Sprintf("intent %s at %d", d.IntentID, d.IntentSeq)
	case d.IntentID != "":
		return "intent " + d.IntentID
	case d.ClientOrderID != "":
		return d.ClientOrderID
	}
	return "-"
}

func quantities(d *inquiry.Difference) string {
	if d.Expected == nil || d.Found == nil {
		return "-"
	}
	return fmt.Sprintf("expected %s, found %s", d.Expected, d.Found)
}

func said(d *inquiry.Difference) string {
	if d.Repaired {
		return d.Message + " (written now)"
	}
	return d.Message
}
