package replay

import (
	"cmp"
	"slices"

	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/session"
)

// Reason explains why an intent ended otherwise in a shadow.
type Reason string

// The reasons.
const (
	WasDue        Reason = "due"
	WasDuplicate  Reason = "first_use_outside"
	TargetOutside Reason = "target_outside"
	TargetDiffers Reason = "target_differs"
	FirstDiffers  Reason = "first_differs"
	FirstOutside  Reason = "retry_of_outside"
	WasFailed     Reason = "failed"
	WasExpired    Reason = "expired"
	WasRefused    Reason = "no_line"
	WasRecovered  Reason = "recovered"
	GivenFault    Reason = "fault"
	GivenLimit    Reason = "limit"
	GivenMarket   Reason = "market_given"
	Account       Reason = "account"
	Market        Reason = "market"
)

var reasons = map[Reason]string{
	WasDue:        "it had no outcome yet",
	WasDuplicate:  "the first use of its id is outside of the stretch",
	TargetOutside: "its target is outside of the stretch",
	TargetDiffers: "what became of its target differs",
	FirstDiffers:  "what became of the intent that it drives again differs",
	FirstOutside:  "the intent that it drives again is outside of the stretch",
	WasFailed:     "the broker could not be asked then what became of it",
	WasExpired:    "its time ran out then, while it waited",
	WasRefused:    "the tenant had no line to its broker then (unknown, no credentials, configuration)",
	WasRecovered:  "an answer was lost then, and the order was found at the broker",
	GivenFault:    "of a fault that was given",
	GivenLimit:    "of a limit that was given",
	GivenMarket:   "of the cash or a price that was given",
	Account:       "the shadow's accounts begin with cash alone, and prices are those of the fills on the ledger",
	Market:        "the shadow knows the market from the fills on the ledger alone",
}

// Text is the reason for people.
func (r Reason) Text() string { return reasons[r] }

// witness knows what may explain differences.
type witness struct {
	conditions Conditions
	byID       map[string]int // the first of all with an intent id of a tenant
	at         map[place]bool
	all        []*Asked
	fates      []Fate
}

func newWitness(all []*Asked, fates []Fate, c Conditions) *witness {
	w := &witness{conditions: c, byID: make(map[string]int), at: make(map[place]bool), all: all, fates: fates}
	for i, a := range all {
		w.at[place{a.Shard, a.Seq}] = true
		if id := order.ClientOrderID(a.Tenant, a.ID); a.ID != "" {
			if _, used := w.byID[id]; !used {
				w.byID[id] = i
			}
		}
	}
	return w
}

// reason explains a difference, first by what happened then, then by what was given, then by
// what a shadow cannot know.
func (w *witness) reason(a *Asked, f *Fate) Reason {
	then, now := a.Outcome, &f.Outcome
	faults, limit := w.faulty(a.Tenant), w.conditions.PerMinute > 0
	switch {
	case then == nil:
		return WasDue
	case then.Status == order.Duplicate && !w.at[place{a.Shard, then.DuplicateOf}]:
		return WasDuplicate
	case then.Status == order.Failed:
		return WasFailed
	case then.Status == order.Expired && now.Status != order.Expired:
		return WasExpired
	case isLine(then.Rule):
		return WasRefused
	case then.Status == order.Accepted && then.Recovered && now.Status == order.Accepted && !now.Recovered:
		return WasRecovered
	case faults && (now.Recovered || now.Status == order.Failed || now.Status == order.Expired):
		return GivenFault
	case limit && now.Status == order.Expired:
		return GivenLimit
	}
	if r := cmp.Or(w.first(a), w.target(a)); r != "" {
		return r
	}
	money := !w.conditions.Cash.IsZero() || len(w.conditions.Prices) > 0
	switch {
	case a.Intent == nil:
		return ""
	case money && atTheBroker(then.Status) && atTheBroker(now.Status):
		return GivenMarket
	case ofTheAccount(then) || ofTheAccount(now):
		return Account
	case then.Status == order.Accepted && now.Status == order.Accepted && !slices.ContainsFunc(fields(a, f), ofTheBooking):
		return Market
	}
	return ""
}

// ofTheBooking says whether what differs is about how an order came to be, with which the
// market has nothing to do.
func ofTheBooking(f Field) bool {
	return f.Name != "order_status" && f.Name != "filled_qty" && f.Name != "filled_avg_price"
}

// faulty says whether a fault was given that may strike a tenant.
func (w *witness) faulty(tenant string) bool {
	return slices.ContainsFunc(w.conditions.Faults, func(f paper.Fault) bool { return f.Account == "" || f.Account == tenant })
}

// first explains a difference by the intent that one drives again.
func (w *witness) first(a *Asked) Reason {
	if a.Intent == nil || a.Intent.RetryOf == "" {
		return ""
	}
	i, there := w.byID[order.ClientOrderID(a.Tenant, a.Intent.RetryOf)]
	switch {
	case !there:
		return FirstOutside
	case len(fields(w.all[i], &w.fates[i])) > 0:
		return FirstDiffers
	}
	return ""
}

// target explains a difference by an intent's target.
func (w *witness) target(a *Asked) Reason {
	if a.Intent == nil || a.Intent.Target == "" {
		return ""
	}
	i, there := w.byID[order.ClientOrderID(a.Tenant, a.Intent.Target)]
	switch {
	case !there:
		return TargetOutside
	case len(fields(w.all[i], &w.fates[i])) > 0:
		return TargetDiffers
	}
	return ""
}

// isLine says whether a rule blocks an intent whose tenant has no line to its broker.
func isLine(rule string) bool {
	return rule == session.RuleUnknownTenant || rule == session.RuleNoCredentials || rule == session.RuleTenantConfig
}

// atTheBroker says whether a status is the broker's word.
func atTheBroker(s order.Status) bool { return s == order.Accepted || s == order.Rejected }

// ofTheAccount says whether an outcome is about what an account holds: the broker forbade
// the order for want of money or shares, or there is no such position, or it is too small.
func ofTheAccount(o *order.Outcome) bool {
	switch {
	case o.Rule == session.RuleCloseExceedsPosition:
		return true
	case o.Status == order.Rejected:
		return o.HTTPStatus == 403 || o.HTTPStatus == 404 && o.Kind == order.KindClosePosition
	}
	return false
}
