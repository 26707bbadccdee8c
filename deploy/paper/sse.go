package paper

import (
	"net/http"
	"time"
)

// heartbeat is between two comments on a stream of events on which nothing happens.
const heartbeat = 15 * time.Second

// eventSpan is the part of events that a client asks for.
type eventSpan struct {
	since, until     time.Time // inclusive
	after            int       // exclusive sequence number of since_id
	last             int       // inclusive sequence number of until_id; 0 for none
	replays, bounded bool
}

func parseEventSpan(r *http.Request) (s eventSpan, refusal *answer) {
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
		n, ok := eventSeq(text)
		if !ok {
			return s, invalid("invalid " + name)
		}
		*seq = n
	}
	s.replays = !s.since.IsZero() || s.after > 0
	s.bounded = !s.until.IsZero() || s.last > 0
	if s.bounded && !s.replays {
		return s, invalid("since or since_id is required with until or until_id")
	}
	return s, nil
}

// past says whether an event is behind the end of a span.
func (s *eventSpan) past(e *event) bool {
	return !s.until.IsZero() && e.at.time().After(s.until) || s.last > 0 && e.seq > s.last
}

// serveEvents serves trade updates as server-sent events: those behind since (its
// instant included) or since_id (that event excluded), then new ones as they come; with
// an end, only what is recorded up to it.
func (b *Broker) serveEvents(w http.ResponseWriter, r *http.Request, a *account) {
	span, refusal := parseEventSpan(r)
	if refusal != nil {
		write(w, refusal)
		return
	}
	end := a.lastEvent()
	seq := span.after
	if !span.replays {
		seq = end
	}
	render := func(e *event, line []byte) []byte {
		if e.at.time().Before(span.since) || span.past(e) {
			return nil
		}
		return e.appendServerSent(line)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	idle := time.NewTicker(heartbeat)
	defer idle.Stop()
	for {
		lines, reached, more := a.pending(seq, render)
		for _, line := range lines {
			if _, err := w.Write(line); err != nil {
				return // the client has gone
			}
		}
		seq = reached
		if out.Flush() != nil || span.bounded && seq >= end {
			return
		}
		select {
		case <-more:
		case <-idle.C:
			if _, err := w.Write([]byte(":heartbeat\n\n")); err != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-b.closing:
			return
		}
	}
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
