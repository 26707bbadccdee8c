package alpaca

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
)

const (
	maxExcerpt = 200     // of a body that is not JSON
	maxMessage = 1 << 10 // of the broker's words
	maxWait    = time.Hour
)

// verdict says what the current exchange proves, but for 2xx answers: whether
// those prove anything depends on their body, so they stay Unknown here.
func (l *line) verdict() broker.Verdict {
	x := &l.x
	v := broker.Verdict{
		HTTPStatus: x.status,
		RequestID:  l.requestID(),
		Submitted:  x.submitted,
		Answered:   x.answered,
		Limits:     limits(x.header, x.answered),
	}
	if x.err != nil {
		v.Kind, v.Message = l.unanswered()
		return v
	}
	if x.status/100 == 2 {
		return v
	}
	v.Code, v.Message = l.words(x.body)
	switch x.status {
	case http.StatusTooManyRequests:
		v.Kind = broker.RetryAfter
		v.Wait = wait(x.header, x.answered)
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusConflict, http.StatusGone, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		v.Kind = broker.Rejected
	}
	return v
}

// unanswered tells apart the ways to have no answer.
func (l *line) unanswered() (broker.VerdictKind, string) {
	x := &l.x
	message := l.clean(x.err.Error(), maxMessage)
	switch {
	case errors.Is(x.err, errExpired):
		return broker.Expired, message
	case !x.sent:
		return broker.Unsent, "nothing was sent: " + message
	case errors.Is(x.err, context.Canceled):
		return broker.Unknown, "given up while the answer was due: " + message
	default:
		return broker.Unknown, "no whole answer: " + message
	}
}

// words reads the code and the message of an error body. The code may be missing
// or, against the description, a string.
func (l *line) words(body []byte) (code int, message string) {
	var said struct {
		Code    json.RawMessage `json:"code"`
		Message json.RawMessage `json:"message"`
	}
	if json.Unmarshal(body, &said) == nil {
		code, _ = strconv.Atoi(strings.Trim(string(said.Code), `"`))
		if json.Unmarshal(said.Message, &message) == nil && message != "" {
			return code, l.clean(message, maxMessage)
		}
	}
	return code, l.clean(string(body[:min(len(body), 4*maxExcerpt)]), maxExcerpt)
}

// clean makes foreign text fit to be kept: printable, bounded, and without our
// credentials, should a server echo them.
func (l *line) clean(s string, limit int) string {
	for _, secret := range l.secrets() {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "[redacted]")
		}
	}
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' {
			return ' '
		}
		if !strconv.IsPrint(r) || r == '\uFFFD' {
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}

func (l *line) requestID() string {
	id := l.x.header.Get("X-Request-Id")
	if id == "" {
		return ""
	}
	return l.clean(id, 128)
}

// limits reads the rate limit off an answer. Half a limit is none: what is missing or
// makes no sense must not look like a limit of 0.
func limits(h http.Header, answered time.Time) broker.Limits {
	limit, ok := number(h.Get("X-Ratelimit-Limit"))
	if !ok || limit == 0 {
		return broker.Limits{}
	}
	remaining, ok := number(h.Get("X-Ratelimit-Remaining"))
	reset, known := untilReset(h, answered)
	if !ok || !known {
		return broker.Limits{}
	}
	return broker.Limits{Limit: limit, Remaining: remaining, Reset: reset}
}

// untilReset is how long it takes, from the answer on, until the rate limit begins anew.
func untilReset(h http.Header, answered time.Time) (time.Duration, bool) {
	unix, ok := number(h.Get("X-Ratelimit-Reset"))
	if !ok || unix == 0 {
		return 0, false
	}
	return within(time.Unix(int64(unix), 0).Sub(brokerTime(h, answered))), true
}

// brokerTime is when the answer was made by the broker's own clock, where it shows one: the
// dates and times in an answer are to be compared with that, not with our clock.
func brokerTime(h http.Header, answered time.Time) time.Time {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		return date
	}
	return answered
}

// number reads a header that counts something.
func number(s string) (int, bool) {
	n, err := strconv.ParseInt(s, 10, 40)
	return int(n), err == nil && n >= 0
}

// wait is how long a 429 asks us to stay away: Retry-After in seconds or as a date, else
// the reset of the rate limit; at most an hour.
func wait(h http.Header, answered time.Time) time.Duration {
	after := h.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(after, 64); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, maxWait.Seconds()) * float64(time.Second))
	}
	if until, err := http.ParseTime(after); err == nil {
		return within(until.Sub(brokerTime(h, answered)))
	}
	d, _ := untilReset(h, answered)
	return d
}

// within keeps a wait that a header states within sense.
func within(d time.Duration) time.Duration { return min(max(d, 0), maxWait) }

// unproven is a 2xx answer that does not show what it should.
func unproven(v broker.Verdict, format string, args ...any) broker.Verdict {
	v.Kind, v.Order, v.Position, v.Canceled = broker.Unknown, nil, nil, nil
	v.Message = fmt.Sprintf("HTTP %d, but ", v.HTTPStatus) + fmt.Sprintf(format, args...)
	return v
}
