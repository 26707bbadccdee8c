package paper

import (
	"io"
	"net/http"
	"time"
)

// teller is where a stream of events comes from.
type teller interface {
	// lastEvent is the number of the last event so far, number that of an event's id.
	lastEvent() int
	number(id string) (int, bool)
	// behindEvent renders the first events behind a number that are within a span. It
	// returns the number that was reached, and a channel that is closed when there is more.
	behindEvent(number int, span *eventSpan) (lines []line, reached int, more <-chan struct{})
}

// line is an event as it is sent, or a comment, which has no account.
type line struct {
	account *account
	text    string
}

// eventSpan is the part of events that a client asks for.
type eventSpan struct {
	since, until     time.Time // inclusive
	after            int       // exclusive sequence number of since_id
	last             int       // inclusive sequence number of until_id; 0 for none
	replays, bounded bool
}

func parseEventSpan(r *http.Request, number func(id string) (int, bool)) (s eventSpan, refusal *answer) {
	q := r.URL.Query()
	for name, at := range map[string]*time.Time{"since": &s.since, "until": &s.until} {
		text := q.Get(name)
		if text == "" {
			continue
		}
		t, err := parseTime(text)
		if err != nil {
			return s, invalid("invalid " + name)
		}
		*at = t
	}
	for name, seq := range map[string]*int{"since_id": &s.after, "until_id": &s.last} {
		text := q.Get(name)
		if text == "" {
			continue
		}
		n, ok := number(text)
		if !ok {
			return s, invalid("invalid " + name)
		}
		*seq = n
	}
	if !s.since.IsZero() && s.after > 0 {
		return s, invalid("since and since_id cannot be used at the same time")
	}
	s.replays = !s.since.IsZero() || s.after > 0
	s.bounded = !s.until.IsZero() || s.last > 0
	if s.bounded && !s.replays {
		return s, invalid("since or since_id is required with until or until_id")
	}
	return s, nil
}

// holds says whether an event with a number is within a span.
func (s *eventSpan) holds(at stamp, number int) bool {
	t := at.time()
	return !t.Before(s.since) && (s.until.IsZero() || !t.After(s.until)) && (s.last == 0 || number <= s.last)
}

// serveEvents serves trade updates as server-sent events: those behind since (its
// instant included) or since_id (that event excluded), then new ones as they come; with
// an end, only what is recorded up to it.
func (b *Broker) serveEvents(w http.ResponseWriter, r *http.Request, from teller) {
	if b.refuseStream(w, r) {
		return
	}
	span, refusal := parseEventSpan(r, from.number)
	if refusal != nil {
		write(w, refusal)
		return
	}
	end := from.lastEvent()
	reached := span.after
	if !span.replays {
		reached = end
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	out := &eventWriter{broker: b, w: w, stop: r.Context().Done()}
	if !out.write(": welcome to the Alpaca events\n\n") {
		return
	}
	idle := time.NewTicker(b.heartbeat)
	defer idle.Stop()
	for {
		lines, upTo, more := from.behindEvent(reached, &span)
		for _, l := range lines {
			if !out.send(l) {
				return
			}
		}
		reached = upTo
		if !out.flush() || span.bounded && reached >= end {
			return
		}
		select {
		case <-more:
		case <-idle.C:
			if !out.write(":heartbeat\n\n") {
				return
			}
		case <-r.Context().Done():
			return
		case <-b.closing:
			return
		}
	}
}

// eventWriter writes a stream, through whatever goes wrong with it. Its methods say whether
// the connection still stands.
type eventWriter struct {
	broker *Broker
	w      http.ResponseWriter
	stop   <-chan struct{}
	silent bool
}

// send sends an event, unless a fault strikes it.
func (o *eventWriter) send(l line) bool {
	if l.account == nil {
		return o.write(l.text)
	}
	delay, f := o.broker.strikeEvent(l.account)
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-o.stop:
			return false
		case <-o.broker.closing:
			return false
		}
	}
	switch {
	case f == nil:
	case f.Kind == Reset:
		o.flush() // what was sent before arrives
		reset(o.w)
		return false
	case f.Kind == Silence:
		o.silent = true
	case f.Kind == Drop:
		return true
	}
	return o.write(l.text)
}

func (o *eventWriter) write(text string) bool {
	if o.silent {
		return true
	}
	_, err := io.WriteString(o.w, text)
	return err == nil // or the client has gone
}

func (o *eventWriter) flush() bool {
	return o.silent || http.NewResponseController(o.w).Flush() == nil
}

// number and behindEvent make an account the teller of its own events.
func (a *account) number(id string) (int, bool) { return eventSeq(id) }

func (a *account) behindEvent(number int, span *eventSpan) (lines []line, reached int, more <-chan struct{}) {
	texts, reached, more := a.pending(number, func(e *event, text []byte) []byte {
		if !span.holds(e.at, e.seq) {
			return nil
		}
		return e.appendServerSent(text)
	})
	for _, text := range texts {
		lines = append(lines, line{a, string(text)})
	}
	return lines, reached, more
}

// appendServerSent appends the event as a server-sent one.
func (e *event) appendServerSent(b []byte) []byte {
	b = append(b, `data: {"at":"`...)
	b = append(e.at.time().AppendFormat(b, time.RFC3339Nano), '"')
	b = fieldString(b, "event_id", e.eventID())
	b = append(b, ',')
	b = append(b, e.append(nil)[1:]...)
	return append(b, "\n\n"...)
}
