package natsconn

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
)

// deafPause is how long a connection that is not permitted to hear answers waits before it
// tries again, on average.
const deafPause = 2 * time.Second

// watchInbox cures a loss that the client does not notice. A server whose configuration is
// reloaded with less permission to subscribe drops subscriptions, and does not make them
// again when the permission is back: nobody would hear an answer any more. So while our
// inbox is denied, the connection is made anew, with all its subscriptions.
func watchInbox(nc *nats.Conn) error {
	inbox, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		return err
	}
	next := nc.ErrorHandler()
	nc.SetErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
		if next != nil {
			next(nc, sub, err)
		}
		if errors.Is(err, nats.ErrPermissionViolation) && denied(inbox) {
			// Should it be denied again, the server says so again.
			time.AfterFunc(deafPause/2+rand.N(deafPause), func() { _ = nc.ForceReconnect() }) // fails only if it is closed
		}
	})
	return nil
}

// denied says that the server does not let us have a subscription. Nothing ever comes in
// there: it does not wait.
func denied(sub *nats.Subscription) bool {
	_, err := sub.NextMsg(time.Nanosecond)
	return errors.Is(err, nats.ErrPermissionViolation)
}
