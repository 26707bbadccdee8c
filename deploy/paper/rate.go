package paper

import (
	"net/http"
	"strconv"
	"time"
)

// window counts an account's requests of one minute.
type window struct {
	minute int64 // since 1970
	used   int64
}

// take counts a request at a time against a limit. It says how many remain, when the
// window ends in Unix seconds, and whether the request is within the limit.
func (w *window) take(now time.Time, limit int64) (remaining, reset int64, ok bool) {
	if minute := now.Unix() / 60; minute != w.minute {
		*w = window{minute: minute}
	}
	reset = (w.minute + 1) * 60
	if w.used >= limit {
		return 0, reset, false
	}
	w.used++
	return limit - w.used, reset, true
}

// limit counts a request of an account and sets the X-RateLimit headers; false means
// that it is one too many. An account without a limit has no such headers.
func (b *Broker) limit(a *account, h http.Header) bool {
	limit := b.rateLimit.Load()
	if limit < 0 {
		return true
	}
	a.mu.Lock()
	remaining, reset, ok := a.rate.take(b.now(), limit)
	a.mu.Unlock()
	h["X-Ratelimit-Limit"] = []string{strconv.FormatInt(limit, 10)}
	h["X-Ratelimit-Remaining"] = []string{strconv.FormatInt(remaining, 10)}
	h["X-Ratelimit-Reset"] = []string{strconv.FormatInt(reset, 10)}
	return ok
}
