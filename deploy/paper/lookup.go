package paper

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// lookup answers GET /v2/orders/{id}.
func (a *account) lookup(id string, now time.Time) *answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return found(a.byID[id], id, now)
}

// lookupClient answers GET /v2/orders:by_client_order_id.
func (a *account) lookupClient(q url.Values, now time.Time) *answer {
	id := q.Get("client_order_id")
	a.mu.Lock()
	defer a.mu.Unlock()
	return found(a.byClient[id], id, now)
}

// found answers with an order, if there is one to be seen.
func found(o *order, id string, now time.Time) *answer {
	if o == nil || o.seen > stampOf(now) {
		return notFound("order not found for " + id)
	}
	return &answer{status: http.StatusOK, body: appendOrder(nil, o, true)}
}

// Bounds of a list of orders.
const (
	listDefault = 50
	listMost    = 500
)

// filter is what a list of orders is asked for.
type filter struct {
	open, closed, nested, ascending bool
	limit                           int
	after, until                    time.Time
	afterID, beforeID               string
	symbols, classes                []string
	side                            string
}

func parseFilter(q url.Values) (f filter, refusal *answer) {
	f.limit = listDefault
	switch q.Get("status") {
	case "", "open":
		f.open = true
	case "closed":
		f.closed = true
	case "all":
		f.open, f.closed = true, true
	default:
		return f, invalid("invalid status")
	}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return f, invalid("invalid limit")
		}
		f.limit = min(n, listMost)
	}
	for name, at := range map[string]*time.Time{"after": &f.after, "until": &f.until} {
		if s := q.Get(name); s != "" {
			t, err := parseTime(s)
			if err != nil {
				return f, invalid("invalid " + name)
			}
			*at = t
		}
	}
	switch q.Get("direction") {
	case "", "desc":
	case "asc":
		f.ascending = true
	default:
		return f, invalid("invalid direction")
	}
	f.nested = q.Get("nested") == "true"
	f.side = q.Get("side")
	f.afterID, f.beforeID = q.Get("after_order_id"), q.Get("before_order_id")
	if f.afterID != "" && f.beforeID != "" {
		return f, invalid("only one of before_order_id and after_order_id is allowed")
	}
	for _, s := range splitList(q.Get("symbols")) {
		f.symbols = append(f.symbols, plain(upper(s)))
	}
	f.classes = splitList(q.Get("asset_class"))
	return f, nil
}

// parseTime reads a time of RFC 3339 or a day.
func parseTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	return time.Parse(time.DateOnly, s)
}

// splitList splits a list at its commas; none if it is empty.
func splitList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// list answers GET /v2/orders.
func (a *account) list(q url.Values) *answer {
	f, refusal := parseFilter(q)
	if refusal != nil {
		return refusal
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.orders
	if !f.closed {
		all = a.open // with some that are over: spares the search through a long past
	}
	bySeq := func(o *order, seq int) int { return o.seq - seq }
	if f.afterID != "" {
		o := a.byID[f.afterID]
		if o == nil {
			return notFound("order not found for " + f.afterID)
		}
		i, _ := slices.BinarySearchFunc(all, o.seq+1, bySeq)
		all = all[i:]
	}
	if f.beforeID != "" {
		o := a.byID[f.beforeID]
		if o == nil {
			return notFound("order not found for " + f.beforeID)
		}
		i, _ := slices.BinarySearchFunc(all, o.seq, bySeq)
		all = all[:i]
	}
	var page []*order
	for i := 0; i < len(all) && len(page) < f.limit; i++ {
		o := all[i]
		if !f.ascending {
			o = all[len(all)-1-i]
		}
		if f.wants(o) {
			page = append(page, o)
		}
	}
	return &answer{status: http.StatusOK, body: appendOrders(nil, page, f.nested)}
}

// wants says whether an order belongs on a list. A nested list shows legs in their
// parents alone.
func (f *filter) wants(o *order) bool {
	if o.status.over() && !f.closed || !o.status.over() && !f.open {
		return false
	}
	if o.isLeg() && (f.nested || o.class == classMultiLg) {
		return false
	}
	if !f.after.IsZero() && !o.submitted.time().After(f.after) || !f.until.IsZero() && !o.submitted.time().Before(f.until) {
		return false
	}
	if f.side != "" && o.side != f.side {
		return false
	}
	if len(f.symbols) > 0 && !o.named(f.symbols) {
		return false
	}
	return len(f.classes) == 0 || o.asset != nil && slices.Contains(f.classes, o.asset.class)
}

// named says whether an order, or a leg of it, is in one of the symbols, or in an
// option on one.
func (o *order) named(symbols []string) bool {
	if o.asset == nil {
		return slices.ContainsFunc(o.legs, func(leg *order) bool { return leg.named(symbols) })
	}
	return slices.Contains(symbols, plain(o.asset.symbol)) ||
		o.asset.underlying != nil && slices.Contains(symbols, o.asset.underlying.symbol)
}
