package natsconn

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// The bounds of the pause between two looks at a connection that is not permitted to hear
// answers, on average.
const firstDeaf, lastDeaf = time.Second, 5 * time.Second

// hearing cures a loss that the client does not notice. A server whose configuration is
// reloaded with less permission to subscribe drops subscriptions, and does not make them
// again when the permission is back: nobody would hear an answer any more. So after a
// violation of permissions it looks whether a new inbox is permitted; if it was not for a
// while and is again, the connection is made anew, with all its subscriptions.
type hearing struct {
	nc          *nats.Conn
	first, last time.Duration
	looking     atomic.Bool // a look is under way, or planned: one at a time
}

// watchInbox adds to the connection's error handler.
func watchInbox(nc *nats.Conn) { (&hearing{nc: nc, first: firstDeaf, last: lastDeaf}).watch() }

func (h *hearing) watch() {
	next := h.nc.ErrorHandler()
	h.nc.SetErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
		if next != nil {
			next(nc, sub, err)
		}
		if errors.Is(err, nats.ErrPermissionViolation) && h.looking.CompareAndSwap(false, true) {
			time.AfterFunc(0, func() { h.look(false, h.first) }) // it blocks, which this handler may not
		}
	})
}

// look looks once, and again after a pause as long as the connection is deaf.
func (h *hearing) look(deaf bool, pause time.Duration) {
	denied, err := h.denied()
	switch {
	case h.nc.IsClosed():
	case denied, err != nil && deaf:
		time.AfterFunc(pause/2+rand.N(pause), func() { h.look(true, min(2*pause, h.last)) })
	case deaf:
		h.looking.Store(false)
		_ = h.nc.ForceReconnect() // fails only if it is closed
	default: // it was another permission
		h.looking.Store(false)
	}
}

// denied says that the server does not let us subscribe to an inbox. The subscription is a
// new one each time: the client keeps what is said of a synchronous one in a channel of
// bounded size, and stops for ever when nobody empties it.
func (h *hearing) denied() (bool, error) {
	inbox, err := h.nc.SubscribeSync(h.nc.NewInbox())
	if err != nil {
		return false, err
	}
	defer inbox.Unsubscribe() //nolint:errcheck // the connection is gone then
	if err := h.nc.FlushTimeout(connectTimeout); err != nil {
		return false, err
	}
	_, err = inbox.NextMsg(time.Nanosecond) // nothing ever comes in there
	return errors.Is(err, nats.ErrPermissionViolation), nil
}
