package paper

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// activityMost is the most activities of a page.
const activityMost = 100

// activities answers GET /v2/account/activities and /v2/account/activities/{type}:
// fills, for nothing else happens to an account here.
func (a *account) activities(kind string, q url.Values) *answer {
	kinds := splitList(q.Get("activity_types"))
	if kind != "" {
		kinds = []string{kind}
	}
	size := activityMost
	if s := q.Get("page_size"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > activityMost {
			return invalid("invalid page_size")
		}
		size = n
	}
	w := timeWindow{}
	if refusal := w.parse(q); refusal != nil {
		return refusal
	}
	token := 0
	if s := q.Get("page_token"); s != "" {
		if token = a.activity(s); token == 0 {
			return invalid("invalid page_token")
		}
	}
	ascending := q.Get("direction") == "asc"
	none := len(kinds) > 0 && !slices.Contains(kinds, "FILL") || q.Get("category") == "non_trade_activity"

	a.mu.Lock()
	defer a.mu.Unlock()
	body, n := []byte{'['}, 0
	for i := range a.feed.events {
		if !ascending {
			i = len(a.feed.events) - 1 - i
		}
		e := &a.feed.events[i]
		if n == size || none {
			break
		}
		if token > 0 && (ascending && e.seq <= token || !ascending && e.seq >= token) {
			continue
		}
		if !e.isTrade() || !w.holds(e.at.time()) {
			continue
		}
		if n++; n > 1 {
			body = append(body, ',')
		}
		body = e.appendActivity(body, a)
	}
	return &answer{status: http.StatusOK, body: append(body, ']')}
}

// activity is the event of an activity's id, 0 if there is none.
func (a *account) activity(id string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := len(a.feed.events) - 1; i >= 0; i-- {
		if e := &a.feed.events[i]; e.isTrade() && e.activityID() == id {
			return e.seq
		}
	}
	return 0
}

// timeWindow bounds the times of activities.
type timeWindow struct{ from, to time.Time }

func (w *timeWindow) parse(q url.Values) *answer {
	for _, p := range []struct {
		name string
		set  func(time.Time)
	}{
		{"date", func(t time.Time) { w.from, w.to = t, t.AddDate(0, 0, 1) }},
		{"after", func(t time.Time) { w.from = t }},
		{"until", func(t time.Time) { w.to = t }},
	} {
		s := q.Get(p.name)
		if s == "" {
			continue
		}
		t, err := parseTime(s)
		if err != nil {
			return invalid("invalid " + p.name)
		}
		p.set(t)
	}
	return nil
}

func (w *timeWindow) holds(t time.Time) bool {
	return !t.Before(w.from) && (w.to.IsZero() || t.Before(w.to))
}

// appendActivity appends a trade as the list of activities shows it: a correspondent's says
// whose it is.
func (e *event) appendActivity(b []byte, a *account) []byte {
	o := e.then()
	b = appendString(append(b, `{"id":`...), e.activityID())
	if a.owner != nil {
		b = fieldString(b, "account_id", a.id)
	}
	b = append(b, `,"activity_type":"FILL"`...)
	b = fieldTime(b, "transaction_time", e.at)
	b = fieldString(b, "type", e.kind)
	b = fieldNum(b, "price", e.price)
	b = fieldNum(b, "qty", e.qty)
	b = fieldString(b, "side", o.side)
	b = fieldString(b, "symbol", o.symbol())
	left := num{}
	if e.kind == "partial_fill" {
		left = o.remaining(e.price)
	}
	b = fieldNum(b, "leaves_qty", left)
	b = fieldString(b, "order_id", o.id)
	b = fieldNum(b, "cum_qty", o.filledQty)
	b = fieldString(b, "order_status", string(o.status))
	return append(b, '}')
}
