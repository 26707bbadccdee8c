package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// tailHeartbeat is how often the server shows a quiet consumer that it lives. Two
// missed ones start the consumer anew from where it was: a dead server, or a lost
// consumer, is noticed within about a second.
const tailHeartbeat = 500 * time.Millisecond

// consume reads a stream's messages in their order and then whatever comes, and calls
// deliver for each, from one goroutine. It goes on through server restarts and cuts. It
// ends with ctx's error, or deliver's, or the first one that waiting cannot cure.
func (l *Ledger) consume(ctx context.Context, stream string, cfg jetstream.OrderedConsumerConfig, deliver func(jetstream.Msg, *jetstream.MsgMetadata) error) error {
	cons, err := l.js.OrderedConsumer(ctx, stream, cfg)
	if err != nil {
		return fmt.Errorf("ledger: read %s: %w", stream, err)
	}
	msgs, err := cons.Messages(
		jetstream.PullMaxMessages(1000),
		jetstream.PullExpiry(30*time.Second),
		jetstream.PullHeartbeat(tailHeartbeat))
	if err != nil {
		return fmt.Errorf("ledger: read %s: %w", stream, err)
	}
	defer msgs.Stop()
	defer context.AfterFunc(ctx, msgs.Stop)() // Next does not heed ctx while it starts anew
	for {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if errors.Is(err, jetstream.ErrNoHeartbeat) {
				continue
			}
			return fmt.Errorf("ledger: read %s: %w", stream, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("ledger: read %s: %w", stream, err)
		}
		if err := deliver(m, meta); err != nil {
			return err
		}
	}
}
