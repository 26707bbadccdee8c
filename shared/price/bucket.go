package price

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/order"
)

// ValidSymbol says what is wrong with a symbol that is to have a price.
func ValidSymbol(symbol string) error {
	if err := order.ValidSymbol(symbol); err != nil {
		return fmt.Errorf("price: symbol: %w", err)
	}
	key := order.Canonical(symbol)
	switch {
	case order.IsAssetID(symbol):
		return fmt.Errorf("price: symbol: %s is an asset id; name the symbol", symbol)
	case key == "" || key[0] == '.' || key[len(key)-1] == '.' || strings.Contains(key, ".."):
		return fmt.Errorf("price: symbol: %q is no key: it has a dot at an end, two in a row, or nothing but a slash", symbol)
	}
	return nil
}

// message is what tells a symbol's price, and its subject.
func message(symbol string, q Quote) (subject string, data []byte, err error) {
	if err := ValidSymbol(symbol); err != nil {
		return "", nil, err
	}
	data, err = Encode(q)
	return "$KV." + ledger.PricesBucket + "." + order.Canonical(symbol), data, err
}

// Put writes a symbol's price; the last one written counts.
func Put(ctx context.Context, js jetstream.JetStream, symbol string, q Quote) error {
	to, data, err := message(symbol, q)
	if err != nil {
		return err
	}
	err = natsconn.Permitted(ctx, js.Conn(), to, func(ctx context.Context) error {
		_, err := js.Publish(ctx, to, data)
		return err
	})
	if err != nil {
		return fmt.Errorf("price: write %s: %w", symbol, explained(err))
	}
	return nil
}

// explained says what to do where the server's words do not.
func explained(err error) error {
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		return fmt.Errorf("%w: there is no bucket %s; run worker provision", err, ledger.PricesBucket)
	}
	return err
}

// feedAhead is how many prices a [Feed] has on their way at most.
const feedAhead = 256

// Feed writes many prices, several on their way at once. One goroutine owns it.
type Feed struct {
	js    jetstream.JetStream
	begun bool
	way   []jetstream.PubAckFuture
	of    []string
}

// NewFeed makes a feed.
func NewFeed(js jetstream.JetStream) *Feed { return &Feed{js: js} }

// Put starts to write a symbol's price. It fails if one before it was not written. The first is
// waited for: it shows whether we may write any.
func (f *Feed) Put(ctx context.Context, symbol string, q Quote) error {
	if !f.begun {
		err := Put(ctx, f.js, symbol, q)
		f.begun = err == nil
		return err
	}
	to, data, err := message(symbol, q)
	if err != nil {
		return err
	}
	if len(f.way) >= feedAhead {
		if err := f.await(ctx, feedAhead/2); err != nil {
			return err
		}
	}
	ack, err := f.js.PublishAsync(to, data)
	if err != nil {
		return fmt.Errorf("price: write %s: %w", symbol, err)
	}
	f.way, f.of = append(f.way, ack), append(f.of, symbol)
	return nil
}

// Flush waits until all prices are written.
func (f *Feed) Flush(ctx context.Context) error { return f.await(ctx, len(f.way)) }

// patience is how long a server may take to acknowledge a price.
const patience = 10 * time.Second

// await waits for the first n prices on their way.
func (f *Feed) await(ctx context.Context, n int) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	for i, ack := range f.way[:n] {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			return fmt.Errorf("price: write %s: %w", f.of[i], explained(err))
		case <-late.C:
			return fmt.Errorf("price: write %s: no acknowledgement within %s", f.of[i], patience)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	f.way, f.of = append(f.way[:0], f.way[n:]...), append(f.of[:0], f.of[n:]...)
	return nil
}
