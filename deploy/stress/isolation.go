package stress

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/order"
)

// The two tenants that are in trouble while the others are watched.
const (
	floodTenant = "flood" // has a backlog, and a broker that takes its time, or it would soon have none
	floodDelay  = 20 * time.Millisecond
	stuckTenant = "stuck" // whose broker never answers
	stuckOrders = 1000
)

// Isolation is what the trouble of two tenants costs the others.
type Isolation struct {
	Tenants int `json:"tenants"`
	Rate    int `json:"orders_per_second"`
	Orders  int `json:"orders"` // measured with the trouble, and as many without
	Rounds  int `json:"rounds"`
	// Backlog is how many intents of the one tenant waited when a round ended, at least.
	Backlog int `json:"backlog"`
	// FloodDelay is what each of its orders takes at the broker, in milliseconds.
	FloodDelay int64 `json:"backlog_broker_delay_ms"`
	// Stuck is how many intents of the other one waited, at least.
	Stuck int `json:"stuck"`
	// Quiet and Troubled are the times from publish to the broker's receipt of the other
	// tenants' orders, without the trouble and with it. The first order of each tenant,
	// which opens its connection, is counted apart.
	Quiet         Percentiles `json:"quiet_ms"`
	Troubled      Percentiles `json:"troubled_ms"`
	FirstQuiet    Percentiles `json:"first_quiet_ms"`
	FirstTroubled Percentiles `json:"first_troubled_ms"`
	// Ratios of the 99th percentiles, of all orders but the first ones, of each round with
	// the trouble to the one before it without; the least first.
	Ratios []float64 `json:"ratios_p99"`
	// Ratio is the median of them: what else the machine does in a round spoils that round.
	Ratio float64 `json:"ratio_p99"`
}

// isolationRounds is how often the two take turns, since a machine's speed drifts.
const isolationRounds = 5

// MeasureIsolation measures the load of many tenants without anybody's trouble, then beside
// a tenant with a backlog of so many intents and another whose broker calls all time out,
// and so on in turns. Each round has a system of its own, alone on the machine.
func MeasureIsolation(ctx context.Context, o Options, backlog int) (*Isolation, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	switch {
	case o.Rate == 0:
		return nil, errors.New("isolation: a rate is needed: at once there is no quiet tenant")
	case o.Orders < 2:
		return nil, errors.New("isolation: the first order of each tenant is counted apart: 2 orders are needed at least")
	case backlog < 1:
		return nil, fmt.Errorf("isolation: a backlog of %d is no trouble", backlog)
	}
	quiet, troubled := rounds{}, rounds{flood: math.MaxInt, stuck: math.MaxInt}
	var ratios []float64
	for n := range isolationRounds {
		o.progress("rounds", n, isolationRounds)
		without, err := quiet.run(ctx, o, 0)
		if err != nil {
			return nil, err
		}
		with, err := troubled.run(ctx, o, backlog)
		if err != nil {
			return nil, err
		}
		ratios = append(ratios, with.P99/without.P99)
	}
	slices.Sort(ratios)
	return &Isolation{
		Tenants: o.Tenants, Rate: o.Rate, Orders: len(troubled.first) + len(troubled.later), Rounds: isolationRounds,
		Backlog: troubled.flood, FloodDelay: floodDelay.Milliseconds(), Stuck: troubled.stuck,
		Quiet: percentiles(quiet.later), Troubled: percentiles(troubled.later),
		FirstQuiet: percentiles(quiet.first), FirstTroubled: percentiles(troubled.first),
		Ratios: ratios, Ratio: ratios[len(ratios)/2],
	}, nil
}

// rounds are what the rounds of one kind have measured.
type rounds struct {
	first, later []time.Duration // of the tenants' first orders, and of their others
	flood, stuck int             // intents that waited at the end of each, at least
}

// run runs another one: a whole system, from its start to its end. It returns the times of
// this one, of all orders but the first ones.
func (r *rounds) run(ctx context.Context, o Options, backlog int) (p Percentiles, err error) {
	s, err := boot(ctx, o)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if backlog > 0 {
		if err := s.trouble(ctx, o, backlog); err != nil {
			return p, err
		}
		select { // that the backlog was written just now is no part of its being there
		case <-time.After(o.Calm):
		case <-ctx.Done():
			return p, context.Cause(ctx)
		}
	}
	if err := s.publish(ctx, o.turns(ctx, 0)); err != nil {
		return p, err
	}
	received, err := s.receipts(ctx, o)
	if err != nil {
		return p, err
	}
	h, err := proof.Read(ctx, s.ledger)
	if err != nil {
		return p, err
	}
	later := len(r.later)
	r.measure(h.Intents, received)
	p = percentiles(r.later[later:])
	if backlog == 0 {
		return p, nil
	}
	r.flood = min(r.flood, waiting(floodTenant, h.Intents, h.Outcomes))
	r.stuck = min(r.stuck, waiting(stuckTenant, h.Intents, h.Outcomes))
	if r.flood == 0 || r.stuck == 0 {
		return p, fmt.Errorf("isolation: the trouble did not last: %d and %d intents wait at the end of a round; a larger backlog is needed", r.flood, r.stuck)
	}
	return p, nil
}

// measure takes the times of the quiet tenants' intents.
func (r *rounds) measure(intents []proof.Intent, received map[string]time.Time) {
	first := intent(0).ID
	for _, in := range intents {
		if !quietTenant(in.Tenant) {
			continue
		}
		took := received[order.ClientOrderID(in.Tenant, in.ID)].Sub(in.At)
		if in.ID == first {
			r.first = append(r.first, took)
		} else {
			r.later = append(r.later, took)
		}
	}
}

// trouble begins: it returns when the broker feels both tenants.
func (s *system) trouble(ctx context.Context, o Options, backlog int) error {
	for _, f := range []map[string]string{
		{"account": floodTenant, "kind": string(paper.Latency), "delay": floodDelay.String()},
		{"account": stuckTenant, "kind": string(paper.Silence)},
	} {
		if err := s.fault(ctx, f); err != nil {
			return err
		}
	}
	if err := s.publish(ctx, func(yield func(producer.Item) bool) {
		for n := range stuckOrders {
			if !yield(producer.Item{Tenant: stuckTenant, Intent: intent(n)}) {
				return
			}
		}
		for n := range backlog {
			if n%10_000 == 0 {
				o.progress("backlog", n, backlog)
			}
			if !yield(producer.Item{Tenant: floodTenant, Intent: intent(n)}) {
				return
			}
		}
	}); err != nil {
		return err
	}
	return s.poll(ctx, o, "a request of each of the tenants in trouble", func(arrivals []proof.Arrival, _ []proof.Booking) bool {
		there := make(map[string]bool)
		for _, a := range arrivals {
			there[a.Account] = true
		}
		return there[floodTenant] && there[stuckTenant]
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

// receipts waits until the broker has all orders of the quiet tenants, and says when it
// received each, by its client order id.
func (s *system) receipts(ctx context.Context, o Options) (map[string]time.Time, error) {
	received := make(map[string]time.Time)
	err := s.poll(ctx, o, "all orders of the quiet tenants", func(_ []proof.Arrival, bookings []proof.Booking) bool {
		for _, b := range bookings {
			if tenant, _, _ := order.ParseClientOrderID(b.ClientOrderID); quietTenant(tenant) {
				received[b.ClientOrderID] = b.Received
			}
		}
		return len(received) >= o.total()
	})
	return received, err
}

// poll looks at the broker's ledger until it shows something, for as long as the run's
// patience lasts.
func (s *system) poll(ctx context.Context, o Options, what string, shows func([]proof.Arrival, []proof.Booking) bool) error {
	const interval = 200 * time.Millisecond
	for began := time.Now(); ; {
		arrivals, bookings, err := proof.ReadBroker(ctx, s.broker.Admin)
		if err != nil {
			return err
		}
		switch {
		case shows(arrivals, bookings):
			return nil
		case time.Since(began) > o.Patience:
			return fmt.Errorf("stress: after %s the broker has not received %s", o.Patience, what)
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func quietTenant(name string) bool { return name != floodTenant && name != stuckTenant }

// waiting is how many intents of a tenant have no outcome.
func waiting(tenant string, intents []proof.Intent, outcomes []proof.Outcome) int {
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
	return n
}

// Print writes the report for people.
func (r *Isolation) Print(w io.Writer) {
	fmt.Fprintf(w, "%d tenants, %d orders a second; %d orders with the trouble of two others and as many without,\n", r.Tenants, r.Rate, r.Orders)
	fmt.Fprintf(w, "in %d rounds each, by turns, never at the same time\n", r.Rounds)
	fmt.Fprintf(w, "trouble: one tenant with %d intents waiting or more, whose orders take %d ms each at the broker, so that the backlog lasts;\n", r.Backlog, r.FloodDelay)
	fmt.Fprintf(w, "another with %d, whose broker never answers\n\n", r.Stuck)
	fmt.Fprintf(w, "publish to broker, ms       p50     p99   p99.9\n")
	for _, row := range []struct {
		name string
		p    Percentiles
	}{
		{"without", r.Quiet},
		{"with", r.Troubled},
		{"first orders, without", r.FirstQuiet},
		{"first orders, with", r.FirstTroubled},
	} {
		fmt.Fprintf(w, "%-23s  %6.1f  %6.1f  %6.1f\n", row.name, row.p.P50, row.p.P99, row.p.P999)
	}
	fmt.Fprintf(w, "ratio of the p99 of all but the first orders, the median of %d rounds: %.2f (%.2f to %.2f)\n",
		r.Rounds, r.Ratio, r.Ratios[0], r.Ratios[len(r.Ratios)-1])
}
