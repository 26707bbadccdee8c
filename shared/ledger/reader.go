package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
)

// Reader reads messages by their sequence numbers. It keeps one subscription for the
// answers to all its reads: making one for each costs the server more than the messages
// do. One goroutine owns it, and closes it.
type Reader struct {
	ledger  *Ledger
	inbox   string
	sub     *nats.Subscription // nil before the first read
	answers chan *nats.Msg
	asked   uint64 // requests so far; each answer bears its request's number
}

// atOnce is how many requests a reader has under way at most.
const atOnce = 32

// Reader makes a reader. It takes nothing from the server before it reads.
func (l *Ledger) Reader() *Reader { return &Reader{ledger: l} }

// Close gives the reader's subscription back.
func (r *Reader) Close() {
	if r.sub != nil {
		_ = r.sub.Unsubscribe() // fails only if the connection is gone, and it with it
		r.sub = nil
	}
}

// Read reads the messages with these sequence numbers, of which those that retention
// removed are left out. Requests are under way together, and whichever replica answers:
// some four microseconds a message, where a filtered read passes over every message of
// the other tenants.
func (r *Reader) Read(ctx context.Context, shard int, seqs []uint64) ([]Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	entries := make([]Entry, 0, len(seqs))
	for len(seqs) > 0 {
		n := min(len(seqs), atOnce)
		found, err := r.exchange(ctx, shard, seqs[:n])
		if err != nil {
			return nil, fmt.Errorf("ledger: read %s: %w", StreamName(shard), err)
		}
		if entries, err = r.ledger.complete(ctx, shard, seqs[:n], found, entries); err != nil {
			return nil, err
		}
		seqs = seqs[n:]
	}
	return entries, nil
}

// exchange asks for some messages and waits for all answers. An entry without a sequence
// number was not found.
func (r *Reader) exchange(ctx context.Context, shard int, seqs []uint64) ([]Entry, error) {
	if err := r.subscribe(); err != nil {
		return nil, err
	}
	first, subject := r.asked, r.ledger.directGet(shard)
	for _, seq := range seqs {
		body := append(strconv.AppendUint([]byte(`{"seq":`), seq, 10), '}')
		if err := r.ledger.nc.PublishRequest(subject, r.inbox+strconv.FormatUint(r.asked, 10), body); err != nil {
			return nil, err
		}
		r.asked++
	}
	found := make([]Entry, len(seqs))
	for missing := len(seqs); missing > 0; {
		select {
		case m := <-r.answers:
			n, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, r.inbox), 10, 64)
			if err != nil || n < first {
				continue // of an exchange that was given up
			}
			i := n - first
			if found[i], _, err = parseAnswer(m); err != nil {
				return nil, fmt.Errorf("sequence %d: %w", seqs[i], err)
			}
			missing--
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return found, nil
}

func (r *Reader) subscribe() (err error) {
	if r.sub != nil {
		return nil
	}
	r.inbox = r.ledger.nc.NewInbox() + "."
	r.answers = make(chan *nats.Msg, 2*atOnce) // with the late ones of an exchange that was given up
	r.sub, err = r.ledger.nc.ChanSubscribe(r.inbox+"*", r.answers)
	return err
}

// complete appends what was found to entries, and asks the leader for what a replica did
// not have: it may lag behind.
func (l *Ledger) complete(ctx context.Context, shard int, seqs []uint64, found, entries []Entry) ([]Entry, error) {
	for i, e := range found {
		if e.Seq == 0 {
			var err error
			if e, err = l.At(ctx, shard, seqs[i]); errors.Is(err, ErrNone) {
				continue
			} else if err != nil {
				return nil, err
			}
		}
		entries = append(entries, e)
	}
	return entries, nil
}
