package stress

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/order"
)

// The two tenants that are in trouble while the others are watched.
const (
	floodTenant = "flood" // has a backlog, and a broker that takes its time
	stuckTenant = "stuck" // whose broker never answers
	floodDelay  = "20ms"
)

// Isolation is what the trouble of two tenants costs the others.
type Isolation struct {
	Tenants int `json:"tenants"`
	Rate    int `json:"orders_per_second"`
	Orders  int `json:"orders"` // measured in each of the two systems
	// Backlog is how many intents of one tenant waited at the end.
	Backlog int `json:"backlog"`
	// Quiet and Troubled are the times from publish to the broker's receipt of the other
	// tenants' orders, without the trouble and with it.
	Quiet    Percentiles `json:"quiet_ms"`
	Troubled Percentiles `json:"troubled_ms"`
	// Ratio of the two 99th percentiles.
	Ratio float64 `json:"ratio_p99"`
}

// isolationRounds is how often the two systems take turns, since a machine's speed drifts.
const isolationRounds = 4

// MeasureIsolation runs two systems side by side. In one of them a tenant has a backlog of so
// many intents, and another's broker calls all time out. The load of the other tenants
// goes to the two in turns.
func MeasureIsolation(ctx context.Context, o Options, backlog int) (r *Isolation, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Rate == 0 {
		return nil, errors.New("isolation: a rate is needed: at once there is no quiet tenant")
	}
	quiet, err := boot(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, quiet.stop()) }()
	troubled, err := boot(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, troubled.stop()) }()
	if err := troubled.trouble(ctx, o, backlog); err != nil {
		return nil, err
	}
	var without, with []time.Duration
	for round := range isolationRounds {
		for _, s := range []*system{quiet, troubled} {
			o.progress("rounds", round, isolationRounds)
			if err := s.publish(ctx, o.turns(ctx, round*o.Orders)); err != nil {
				return nil, err
			}
			took, err := s.receipts(ctx, o, round)
			if err != nil {
				return nil, err
			}
			if s == quiet {
				without = append(without, took...)
			} else {
				with = append(with, took...)
			}
		}
	}
	r = &Isolation{Tenants: o.Tenants, Rate: o.Rate, Orders: len(with), Quiet: percentiles(without), Troubled: percentiles(with)}
	r.Ratio = r.Troubled.P99 / r.Quiet.P99
	r.Backlog, err = troubled.waiting(ctx, floodTenant)
	return r, err
}

// trouble begins.
func (s *system) trouble(ctx context.Context, o Options, backlog int) error {
	for _, f := range []map[string]string{
		{"account": floodTenant, "kind": string(paper.Latency), "delay": floodDelay},
		{"account": stuckTenant, "kind": string(paper.Silence)},
	} {
		if err := s.fault(ctx, f); err != nil {
			return err
		}
	}
	return s.publish(ctx, func(yield func(producer.Item) bool) {
		for n := range backlog {
			if n%10_000 == 0 {
				o.progress("backlog", n, backlog)
			}
			if !yield(producer.Item{Tenant: floodTenant, Intent: intent(n)}) {
				return
			}
		}
		yield(producer.Item{Tenant: stuckTenant, Intent: intent(0)})
	})
}

// fault makes the broker misbehave.
func (s *system) fault(ctx context.Context, f map[string]string) error {
	body, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("stress: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.broker.Admin+"/faults", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("stress: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("stress: set a fault: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	said, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("stress: set a fault: HTTP %d: %s: %w", resp.StatusCode, said, err)
	}
	return nil
}

// receipts are the times from publish to the broker's receipt, of a round's orders. It
// waits until the broker has all of them.
func (s *system) receipts(ctx context.Context, o Options, round int) ([]time.Duration, error) {
	received := make(map[string]time.Time)
	for began := time.Now(); len(received) < (round+1)*o.total(); {
		if time.Since(began) > o.Patience {
			return nil, fmt.Errorf("stress: the broker has %d of %d orders after %s", len(received), (round+1)*o.total(), o.Patience)
		}
		_, bookings, err := proof.ReadBroker(ctx, s.broker.Admin)
		if err != nil {
			return nil, err
		}
		for _, b := range bookings {
			if tenant, _, _ := order.ParseClientOrderID(b.ClientOrderID); quietTenant(tenant) {
				received[b.ClientOrderID] = b.Received
			}
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	intents, _, err := proof.Read(ctx, s.ledger)
	if err != nil {
		return nil, err
	}
	var took []time.Duration
	for in := range measured(intents, round*o.Orders) {
		took = append(took, received[order.ClientOrderID(in.Tenant, in.ID)].Sub(in.At))
	}
	return took, nil
}

func quietTenant(name string) bool { return name != floodTenant && name != stuckTenant }

// measured are the quiet tenants' intents from a number on.
func measured(intents []proof.Intent, from int) iter.Seq[proof.Intent] {
	first := intent(from).ID
	return func(yield func(proof.Intent) bool) {
		for _, in := range intents {
			if quietTenant(in.Tenant) && strings.Compare(in.ID, first) >= 0 && !yield(in) {
				return
			}
		}
	}
}

// waiting is how many intents of a tenant have no outcome.
func (s *system) waiting(ctx context.Context, tenant string) (int, error) {
	intents, outcomes, err := proof.Read(ctx, s.ledger)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, in := range intents {
		if in.Tenant == tenant {
			n++
		}
	}
	for _, out := range outcomes {
		if out.Tenant == tenant {
			n--
		}
	}
	return n, nil
}

// Print writes the report for people.
func (r *Isolation) Print(w io.Writer) {
	fmt.Fprintf(w, "%d tenants, %d orders a second; %d orders measured with the trouble of two others and without\n", r.Tenants, r.Rate, r.Orders)
	fmt.Fprintf(w, "trouble: one tenant with %d intents waiting, another whose broker never answers\n\n", r.Backlog)
	fmt.Fprintf(w, "publish to broker, ms       p50     p99   p99.9\n")
	fmt.Fprintf(w, "without                  %6.1f  %6.1f  %6.1f\n", r.Quiet.P50, r.Quiet.P99, r.Quiet.P999)
	fmt.Fprintf(w, "with                     %6.1f  %6.1f  %6.1f\n", r.Troubled.P50, r.Troubled.P99, r.Troubled.P999)
	fmt.Fprintf(w, "ratio of the p99: %.2f\n", r.Ratio)
}
