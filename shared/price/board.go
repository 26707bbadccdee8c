package price

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/rs/zerolog"
)

// Board holds the last price of every symbol in memory. Safe for concurrent use: reading
// takes no lock.
type Board struct{ quotes sync.Map } // of canonical symbols to Quotes

// Quote is the last price of a symbol; false if there is none.
func (b *Board) Quote(symbol string) (Quote, bool) {
	q, ok := b.quotes.Load(order.Canonical(symbol))
	if !ok {
		return Quote{}, false
	}
	return q.(Quote), true
}

// All yields every symbol with its last price, in no order.
func (b *Board) All() iter.Seq2[string, Quote] {
	return func(yield func(string, Quote) bool) {
		b.quotes.Range(func(symbol, q any) bool { return yield(symbol.(string), q.(Quote)) })
	}
}

// Set puts a price on the board.
func (b *Board) Set(symbol string, q Quote) { b.quotes.Store(order.Canonical(symbol), q) }

// pause is between two tries to watch a bucket that cannot be watched.
const pause = 5 * time.Second

// Watch keeps the board as the bucket is until ctx ends. Where there is no bucket, or no
// permission to read it, there are no prices: it says so once, and tries again.
func (b *Board) Watch(ctx context.Context, l *ledger.Ledger, log zerolog.Logger) {
	for complained := false; ; {
		err := l.Bucket(ledger.PricesBucket).Watch(ctx, func(c ledger.KeyChange) error {
			complained = false
			b.heed(c, log)
			return nil
		})
		if ctx.Err() != nil {
			return
		}
		if !complained {
			log.Warn().Err(err).Msg("no reference prices; trying again (worker provision makes the bucket " + ledger.PricesBucket + ")")
			complained = true
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// heed takes a change of the bucket in. A price that makes no sense is none.
func (b *Board) heed(c ledger.KeyChange, log zerolog.Logger) {
	if c.Value == nil {
		b.quotes.Delete(order.Canonical(c.Key))
		return
	}
	q, err := Decode(c.Value)
	if err != nil {
		log.Warn().Err(err).Str("symbol", c.Key).Uint64("revision", c.Revision).Msg("a price that makes no sense; there is none now")
		b.quotes.Delete(order.Canonical(c.Key))
		return
	}
	b.Set(c.Key, q)
}

var errRead = errors.New("price: read to the end")

// Read is the board as the bucket is now.
func Read(ctx context.Context, l *ledger.Ledger) (*Board, error) {
	b := new(Board)
	bucket := l.Bucket(ledger.PricesBucket)
	if empty, err := bucket.Empty(ctx); err != nil || empty {
		return b, err
	}
	err := bucket.Watch(ctx, func(c ledger.KeyChange) error {
		b.heed(c, zerolog.Nop())
		if c.Current {
			return errRead
		}
		return nil
	})
	if errors.Is(err, errRead) {
		return b, nil
	}
	return b, err
}
