package natsconn

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// The bounds of the pause, on average, before a connection that is not permitted to hear
// answers is made anew. It doubles from one to the next.
const firstDeaf, lastDeaf = time.Second, 8 * time.Second

// hearing cures a loss that the client does not notice. A server whose configuration is
// reloaded with less permission to subscribe drops subscriptions, and does not make them
// again when the permission is back: nobody would hear an answer any more. So while our
// inbox is denied, the connection is made anew, with all its subscriptions.
type hearing struct {
	nc          *nats.Conn
	inbox       *nats.Subscription
	first, last time.Duration // bounds of the pause

	mu      sync.Mutex
	waiting bool // for the next connection: there is one timer at most
	pause   time.Duration
	renewed time.Time // the last time that we did
}

// watchInbox watches until the connection is closed.
func watchInbox(nc *nats.Conn, first, last time.Duration) error {
	// Not SubscribeSync: such a subscription has a queue of its denials. Unread, it fills
	// with one for each connection, and the hundred and first stops the client for ever.
	inbox, err := nc.ChanSubscribe(nc.NewInbox(), make(chan *nats.Msg))
	if err != nil {
		return err
	}
	h := &hearing{nc: nc, inbox: inbox, first: first, last: last}
	next := nc.ErrorHandler()
	nc.SetErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
		if next != nil {
			next(nc, sub, err)
		}
		if errors.Is(err, nats.ErrPermissionViolation) {
			h.violated()
		}
	})
	return nil
}

// violated plans a new connection if the violation, or one beside it, is of our inbox.
func (h *hearing) violated() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting || !h.denied() {
		return
	}
	h.waiting = true
	if time.Since(h.renewed) > h.last {
		h.pause = h.first
	} else {
		h.pause = min(2*h.pause, h.last)
	}
	time.AfterFunc(h.pause/2+rand.N(h.pause), h.renew)
}

// renew makes the connection anew, unless that has happened meanwhile. Should the inbox be
// denied again, the server says so again.
func (h *hearing) renew() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = false
	if h.denied() && h.nc.IsConnected() {
		h.renewed = time.Now()
		_ = h.nc.ForceReconnect() // fails only if it is closed
	}
}

// denied says that the server does not let us have our inbox. Nothing ever comes in there:
// it does not wait.
func (h *hearing) denied() bool {
	_, err := h.inbox.NextMsg(time.Nanosecond)
	return errors.Is(err, nats.ErrPermissionViolation)
}
