package paper

import (
	"net/http"
	"strings"
	"time"
)

// Faults of the operation Stream strike a websocket or a stream of server-sent events:
// RateLimit, Error and HTML when it is opened, if they are for all accounts; the others an
// event that is to be sent on it. Latency delays it and what follows; Drop leaves it out;
// Reset ends the connection in its place; from Silence on nothing is said on the connection
// any more, not even an answer to a ping, or a heartbeat.

// streams says that a fault can strike a stream.
func (f *Fault) streams() bool {
	return f.opens() || f.Kind == Latency || f.Kind == Drop || f.Kind == Reset || f.Kind == Silence
}

// opens says that a fault strikes the opening of a stream.
func (f *Fault) opens() bool { return f.Kind == RateLimit || f.Kind == Error || f.Kind == HTML }

// refuseStream answers the opening of a stream that a fault strikes, and says whether it
// did.
func (b *Broker) refuseStream(w http.ResponseWriter, r *http.Request) bool {
	if !b.faults.some.Load() {
		return false
	}
	s := b.faults.strikeWhere(fingerprint(digest([]byte(r.URL.Path))), func(f *Fault) bool {
		return f.Operation == Stream && f.opens() && f.Account == "" && strings.HasPrefix(r.URL.Path, f.Path)
	})
	if s.fault == nil {
		return false
	}
	write(w, b.inject(w, r, s.fault, nil))
	return true
}

// strikeEvent is what goes wrong with an event of an account on a stream.
func (b *Broker) strikeEvent(a *account) (delay time.Duration, f *Fault) {
	if !b.faults.some.Load() {
		return 0, nil
	}
	s := b.faults.strikeWhere(fingerprint(digest([]byte(a.key))), func(f *Fault) bool {
		return f.Operation == Stream && !f.opens() && (f.Account == "" || f.Account == a.key)
	})
	return s.before + s.after, s.fault
}
