package paper

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"
)

// answerThrough answers a call through whatever goes wrong with it.
func (b *Broker) answerThrough(w http.ResponseWriter, r *http.Request, c *call) {
	s := b.faults.strike(c)
	b.pause(r.Context(), s.before)
	if s.fault != nil && !s.fault.after() {
		if a := b.inject(w, r, s.fault, nil); a != nil {
			write(w, b.answered(c, a))
		}
		return
	}
	if s.fault != nil && s.fault.Kind == Unseen {
		c.unseen = s.fault.Delay
	}
	a := b.answered(c, b.route(c))
	b.pause(r.Context(), s.after)
	if s.fault != nil {
		a = b.inject(w, r, s.fault, a)
	}
	if a != nil {
		write(w, a)
	}
}

// inject does what a fault does instead of giving the answer, and returns what is
// answered all the same; nil if nothing is. The answer is nil before the booking.
func (b *Broker) inject(w http.ResponseWriter, r *http.Request, f *Fault, a *answer) *answer {
	switch f.Kind {
	case RateLimit:
		after := ""
		if f.RetryAfter > 0 {
			after = strconv.Itoa(int((f.RetryAfter + time.Second - 1) / time.Second))
		}
		return tooMany(after)
	case Error, Unseen:
		status := f.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		return refuse(status, status*100_000+10_000, "internal server error occurred")
	case HTML:
		return &answer{status: http.StatusBadGateway, html: true, body: []byte(badGateway)}
	case Reset:
		reset(w)
	case Silence:
		select {
		case <-r.Context().Done():
		case <-b.closing:
		}
		panic(http.ErrAbortHandler) // or net/http would answer 200 of its own accord
	case SlowBody:
		b.trickle(w, r, f.Delay, a)
	case Empty:
		return &answer{status: http.StatusOK}
	case Garbage:
		return &answer{status: http.StatusOK, body: []byte("\x00\xff{\"id\":\"61e6")}
	case Latency, Drop:
	}
	return nil
}

const badGateway = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n" +
	"<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"

// reset ends a connection with a TCP RST.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // no connection of its own: end it as net/http can
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // unsent data is discarded, and the peer sees a reset
	}
	_ = conn.Close()
}

// trickleDefault is between two bytes of a slow body whose fault does not say.
const trickleDefault = 10 * time.Millisecond

// trickle sends an answer a byte at a time.
func (b *Broker) trickle(w http.ResponseWriter, r *http.Request, delay time.Duration, a *answer) {
	if delay == 0 {
		delay = trickleDefault
	}
	w.Header()["Content-Type"] = typeJSON
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	w.WriteHeader(a.status)
	flush := http.NewResponseController(w)
	for i := range a.body {
		if _, err := w.Write(a.body[i : i+1]); err != nil || flush.Flush() != nil {
			return // the client has gone
		}
		b.pause(r.Context(), delay)
	}
}

// pause waits. It cuts the request off if the client leaves or the broker stops before.
func (b *Broker) pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return
	case <-ctx.Done():
	case <-b.closing:
	}
	panic(http.ErrAbortHandler)
}
