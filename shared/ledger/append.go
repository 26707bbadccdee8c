package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/order"
)

// codeWrongLastSequence is the server's error code for a lost compare-and-set. It has
// another one for a compare-and-set while a write to the same subject is on its way, which
// may yet come to nothing: that one is [Transient].
const codeWrongLastSequence jetstream.ErrorCode = 10071

// Append starts to publish an outcome. The stream takes it only if after is the
// sequence number of the tenant's last outcome (0: there is none): that is what
// makes an outcome final and a second owner harmless. The future ends with the
// acknowledgement; with an error for which [IsConflict] is true; or with another
// error, after which only the ledger knows (see [Ledger.LastOutcome]).
func (l *Ledger) Append(shard int, tenant string, o *order.Outcome, after uint64) (jetstream.PubAckFuture, error) {
	data, err := order.EncodeOutcome(*o)
	if err != nil {
		return nil, fmt.Errorf("ledger: encode the outcome of intent %d: %w", o.IntentSeq, err)
	}
	f, err := l.compareAndSet(Outcomes.Subject(shard, tenant), data, after)
	if err != nil {
		return nil, fmt.Errorf("ledger: append the outcome of intent %d: %w", o.IntentSeq, err)
	}
	return f, nil
}

// compareAndSet starts to publish a message that the stream takes only if the last one of its
// subject has the sequence number after.
func (l *Ledger) compareAndSet(subject string, data []byte, after uint64) (jetstream.PubAckFuture, error) {
	return l.js.PublishMsgAsync(&nats.Msg{
		Subject: subject,
		Data:    data,
		Header:  nats.Header{jetstream.ExpectedLastSubjSeqHeader: []string{strconv.FormatUint(after, 10)}},
	})
}

// Control appends an operator's word on a tenant, and returns its sequence number in the
// tenant's shard. After an error that is no [order.FieldErrors] only the ledger knows
// whether it stands (see [Ledger.NextControl]); saying it twice does no harm.
func (l *Ledger) Control(ctx context.Context, tenant string, c order.Control) (uint64, error) {
	if err := order.ValidTenant(tenant); err != nil {
		return 0, fmt.Errorf("ledger: control: %w", err)
	}
	if err := c.Validate(); err != nil {
		return 0, fmt.Errorf("ledger: control: %w", err)
	}
	data, err := order.EncodeControl(c)
	if err != nil {
		return 0, fmt.Errorf("ledger: %w", err)
	}
	shard := l.ShardOf(tenant)
	seq, err := l.publish(ctx, &nats.Msg{Subject: Controls.Subject(shard, tenant), Data: data})
	if err != nil {
		return 0, fmt.Errorf("ledger: append a control: %w", l.older(ctx, shard, Controls, err))
	}
	return seq, nil
}

// publish publishes a message, and waits for its acknowledgement, or until the server denies it
// ([*natsconn.DeniedError]).
func (l *Ledger) publish(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (seq uint64, err error) {
	err = natsconn.Permitted(ctx, l.nc, m.Subject, func(ctx context.Context) error {
		ack, err := l.js.PublishMsg(ctx, m, opts...)
		if err == nil {
			seq = ack.Sequence
		}
		return err
	})
	return seq, err
}

// request asks, and waits for the answer, or until the server denies it
// ([*natsconn.DeniedError]).
func (l *Ledger) request(ctx context.Context, subject string, body []byte) (m *nats.Msg, err error) {
	err = natsconn.Permitted(ctx, l.nc, subject, func(ctx context.Context) error {
		m, err = l.nc.RequestWithContext(ctx, subject, body)
		return err
	})
	return m, err
}

// IsConflict says that an append lost its compare-and-set: the tenant's last
// outcome is another one than expected. It may still be our own, if its
// acknowledgement was lost: read it before believing anything.
func IsConflict(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.ErrorCode == codeWrongLastSequence
}
