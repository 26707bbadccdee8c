package ledger

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/natsconn"
)

// Dial connects to a server, under a name that it shows, and opens its ledger. Close the
// connection.
func Dial(ctx context.Context, name string, o natsconn.Options) (*Ledger, *nats.Conn, error) {
	nc, err := natsconn.Dial(ctx, name, o)
	if err != nil {
		return nil, nil, err
	}
	l, err := Open(ctx, nc)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return l, nc, nil
}

// awaitPause is between two tries to open a ledger, on average.
const awaitPause = time.Second

// Await is [Open] for those who have time: while the ledger's server is not there, it tells
// waiting why, and tries again, until ctx ends (its cause). It returns none and no error if stop is
// closed before.
func Await(ctx context.Context, nc *nats.Conn, stop <-chan struct{}, waiting func(error)) (*Ledger, error) {
	for {
		l, err := Open(ctx, nc)
		if err == nil || ctx.Err() != nil || !Transient(err) {
			return l, err
		}
		waiting(err)
		select {
		case <-time.After(awaitPause/2 + rand.N(awaitPause)):
		case <-stop:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
