package producer

import (
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/ledger"
)

// denials joins two halves of one failure: a publish that the server does not permit is
// answered by nobody, and the reason arrives by itself, at the connection's error handler.
type denials struct {
	mu      sync.Mutex
	waiting map[string]*denial // by the subjects that a violation may name, quoted
}

// denial is told to all publishes under way to one subject.
type denial struct {
	waiters int
	denied  chan struct{} // closed when the server says so
}

func watchDenials(nc *nats.Conn) *denials {
	d := &denials{waiting: make(map[string]*denial)}
	next := nc.ErrorHandler()
	nc.SetErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
		if sub == nil && errors.Is(err, nats.ErrPermissionViolation) && d.tell(err.Error()) {
			return // whoever published returns it
		}
		if next != nil {
			next(nc, sub, err)
		}
	})
	return d
}

// tell closes the denials whose subject a violation names. The subject is in its text
// alone.
func (d *denials) tell(violation string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	told := false
	for subject, w := range d.waiting {
		if strings.Contains(violation, subject) {
			close(w.denied)
			delete(d.waiting, subject)
			told = true
		}
	}
	return told
}

// watch returns a channel that is closed if the server denies a publish for a tenant: it
// tests the subject that its account mapping makes.
func (d *denials) watch(shard int, tenant string) (denied <-chan struct{}, release func()) {
	subject := strconv.Quote(ledger.Intents.Subject(shard, tenant))
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.waiting[subject]
	if w == nil {
		w = &denial{denied: make(chan struct{})}
		d.waiting[subject] = w
	}
	w.waiters++
	return w.denied, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if w.waiters--; w.waiters == 0 && d.waiting[subject] == w {
			delete(d.waiting, subject)
		}
	}
}
