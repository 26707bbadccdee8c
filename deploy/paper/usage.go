package paper

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Usage is how a correspondent used its limit over a stretch of time.
type Usage struct {
	Requests int // that arrived, the refused ones too
	Refused  int // by 429, for being over the limit; a fault's 429 does not count
	Cancels  int // of orders, one or all
	// Most is how many requests arrived within any time as long as the limit's window,
	// wherever it begins: more than the limit even if none was refused means that it was
	// kept by luck.
	Most int
	// Limit is the limit of now, Share the part of what it allowed over the stretch that
	// was used, without what was refused; 0 without a limit. A stretch shorter than a window
	// counts as one.
	Limit Limit
	Share float64
}

// Usage is computed from the ledger alone: the requests of a correspondent, by its key, from
// a time on and before another one. A zero time is that of the first request, or behind the
// last.
func (b *Broker) Usage(key string, from, until time.Time) Usage {
	u := Usage{Limit: *b.correspondentLimit.Load()}
	var times []time.Time
	for _, r := range b.ledger.Requested(0) {
		if r.Correspondent != key || r.Time.Before(from) || !until.IsZero() && !r.Time.Before(until) {
			continue
		}
		times = append(times, r.Time)
		if r.Refused {
			u.Refused++
		}
		if r.Cancel {
			u.Cancels++
		}
	}
	if u.Requests = len(times); u.Requests == 0 {
		return u
	}
	slices.SortFunc(times, time.Time.Compare)
	u.Most = mostWithin(times, u.Limit.Window)
	if from.IsZero() {
		from = times[0]
	}
	if until.IsZero() {
		until = times[len(times)-1]
	}
	if stretch := max(until.Sub(from), u.Limit.Window); u.Limit.Requests > 0 {
		u.Share = float64(u.Requests-u.Refused) / (float64(u.Limit.Requests) * stretch.Seconds() / u.Limit.Window.Seconds())
	}
	return u
}

// mostWithin is how many of the times, which are in order, lie within less than a length.
func mostWithin(times []time.Time, length time.Duration) (most int) {
	first := 0
	for i := range times {
		for times[i].Sub(times[first]) >= length {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// usageJSON is a [Usage] as the admin endpoint shows it.
type usageJSON struct {
	Requests int     `json:"requests"`
	Refused  int     `json:"refused"`
	Cancels  int     `json:"cancels"`
	Most     int     `json:"most"`
	Share    float64 `json:"share"`
	Limit    int     `json:"limit"`
	Window   span    `json:"window"`
}

// getUsage answers GET /usage?correspondent=KEY&from=TIME&until=TIME.
func (b *Broker) getUsage(w http.ResponseWriter, r *http.Request) {
	key := r.FormValue("correspondent")
	if key == "" {
		answerAdmin(w, nil, fmt.Errorf("%w: correspondent: want its key", errSetting))
		return
	}
	var bounds [2]time.Time
	for i, name := range []string{"from", "until"} {
		if s := r.FormValue(name); s != "" {
			at, err := time.Parse(time.RFC3339Nano, s)
			if err != nil {
				answerAdmin(w, nil, fmt.Errorf("%w: %s %q: want a time such as 2026-06-17T14:30:00Z", errSetting, name, s))
				return
			}
			bounds[i] = at
		}
	}
	u := b.Usage(key, bounds[0], bounds[1])
	answerAdmin(w, usageJSON{u.Requests, u.Refused, u.Cancels, u.Most, u.Share, u.Limit.Requests, span(u.Limit.Window)}, nil)
}
