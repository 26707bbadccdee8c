package fleetctl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// The labels of an intent that drives another one again.
const (
	LabelRetryBy     = "retry_by"
	LabelRetryReason = "retry_reason"
)

// Why an intent is driven again, by whom, and how long that may take.
type Why struct {
	By, Reason string
	Lifetime   time.Duration
}

// ErrGone says that retention has removed what was asked.
var ErrGone = errors.New("retention has removed the intent, so what it asked for is not known any more")

// Again is the intent that drives a failed one again. Its order bears the failed one's client
// order id, so that there is no second order if the broker has the first.
func (f *Failed) Again(w Why) (order.Intent, error) {
	if f.Intent == nil {
		return order.Intent{}, fmt.Errorf("fleetctl: intent %s of tenant %s: %w", f.Outcome.IntentID, f.Tenant, ErrGone)
	}
	again := *f.Intent
	again.ID = order.NewID()
	again.ExpiresAt = time.Now().Add(w.Lifetime)
	if again.RetryOf == "" {
		again.RetryOf = f.Intent.ID
	}
	again.Labels = maps.Clone(f.Intent.Labels)
	if again.Labels == nil {
		again.Labels = make(map[string]string)
	}
	again.Labels[LabelRetryBy], again.Labels[LabelRetryReason] = w.By, w.Reason
	if err := again.Validate(); err != nil {
		return order.Intent{}, fmt.Errorf("fleetctl: drive intent %s of tenant %s again: %w", f.Outcome.IntentID, f.Tenant, err)
	}
	return again, nil
}

// Drop writes on the ledger that a failed intent is not to be driven again, and returns what
// it wrote, with its sequence number.
func (f *Failed) Drop(ctx context.Context, l *ledger.Ledger, w Why) (said order.Control, seq uint64, err error) {
	said = order.Control{Version: order.Version, Verb: order.Drop, IntentID: f.Outcome.IntentID, By: w.By, Reason: w.Reason, At: time.Now().UTC()}
	if seq, err = l.Control(ctx, f.Tenant, said); err != nil {
		return said, 0, fmt.Errorf("fleetctl: drop intent %s of tenant %s: %w", f.Outcome.IntentID, f.Tenant, err)
	}
	return said, seq, nil
}

// Result is what became of an intent that was driven again.
type Result struct {
	Tenant  string        `json:"tenant"`
	RetryOf string        `json:"retry_of"`
	ID      string        `json:"id"`
	Outcome order.Outcome `json:"outcome"`
}

// String is the result for people, on one line.
func (r Result) String() string {
	text := fmt.Sprintf("%s %s, driven again as %s: %s", r.Tenant, r.RetryOf, r.ID, r.Outcome.Status)
	for _, more := range []string{r.Outcome.BrokerOrderID, r.Outcome.Message} {
		if more != "" {
			text += " " + more
		}
	}
	return printable(text)
}

// ErrWaits says that an intent was published, and had no outcome in time.
var ErrWaits = errors.New("no outcome yet: it is published, behind the tenant's intents that wait; is a worker serving, is the tenant held (fleetctl release)?")
