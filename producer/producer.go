package producer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/order"
)

const (
	// DefaultLifetime is the lifetime of an intent that states no expiry.
	DefaultLifetime = time.Minute
	// DefaultPatience bounds a publish whose context has no deadline, all its tries together.
	DefaultPatience = 10 * time.Second

	// ackTimeout is how long one try waits for its acknowledgement.
	ackTimeout = 2 * time.Second
	// forGood is how long a failure that looks as if for good has to last: a cluster that
	// has just elected a leader does not tell everybody at once.
	forGood = 2 * time.Second
	// firstPause and lastPause bound the pause between tries.
	firstPause, lastPause = 50 * time.Millisecond, time.Second
)

// Producer publishes intents and follows their outcomes. Safe for concurrent use. It
// needs no closing; it lives on its connection.
type Producer struct {
	ledger   *ledger.Ledger
	js       jetstream.JetStream
	denials  *natsconn.Denials
	by       string // who publishes
	repeats  repeats
	patience time.Duration // DefaultPatience, but in tests
}

// New makes a producer on a connection whose server has a ledger
// ([ledger.ErrNotProvisioned] otherwise). It adds to the connection's error handler;
// set your own before.
func New(ctx context.Context, nc *nats.Conn, options ...Option) (*Producer, error) {
	l, err := ledger.Open(ctx, nc)
	if err != nil {
		return nil, fmt.Errorf("producer: %w", err)
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncTimeout(ackTimeout), jetstream.WithPublishAsyncMaxPending(1<<16))
	if err != nil {
		return nil, fmt.Errorf("producer: %w", err)
	}
	named, err := newRepeats(nc, l.Behind())
	if err != nil {
		return nil, err
	}
	p := &Producer{ledger: l, js: js, by: ourselves(), repeats: named, patience: DefaultPatience}
	for _, o := range options {
		if err := o(p); err != nil {
			return nil, err
		}
	}
	p.denials = natsconn.DenialsOf(nc)
	return p, nil
}

// Ledger is the ledger that the producer publishes to, for reading.
func (p *Producer) Ledger() *ledger.Ledger { return p.ledger }

// Receipt says that an intent is on the ledger.
type Receipt struct {
	Tenant string `json:"tenant"`
	ID     string `json:"id"`
	Shard  int    `json:"shard"`
	Seq    uint64 `json:"seq"` // in the shard's stream
	// Duplicate says that the server dropped this publish: one with the same id was there.
	Duplicate bool `json:"duplicate,omitempty"`
}

// Publish publishes one intent and waits until it is on the ledger. An empty ID is made
// up ([order.NewID]), an empty ExpiresAt is [DefaultLifetime] from now. Trouble that may
// pass is tried again under the same id, until ctx's deadline, or for [DefaultPatience].
//
// The errors are those of [order.Intent.Validate], and the ones of this package.
func (p *Producer) Publish(ctx context.Context, tenant string, in order.Intent) (Receipt, error) {
	m, err := p.prepare(tenant, in)
	if err != nil {
		return Receipt{Tenant: tenant, ID: in.ID}, err
	}
	return p.publish(ctx, m)
}

// message is an intent ready to be published.
type message struct {
	tenant string
	id     string
	msg    *nats.Msg
}

func (p *Producer) prepare(tenant string, in order.Intent) (*message, error) {
	if err := order.ValidTenant(tenant); err != nil {
		return nil, fmt.Errorf("producer: %w", err)
	}
	if in.ID == "" {
		in.ID = order.NewID()
	}
	if in.ExpiresAt.IsZero() {
		in.ExpiresAt = time.Now().Add(DefaultLifetime)
	}
	if err := in.Validate(); err != nil {
		return nil, fmt.Errorf("producer: intent %q of tenant %s: %w", in.ID, tenant, err)
	}
	data, err := order.EncodeIntent(in)
	if err != nil {
		return nil, fmt.Errorf("producer: intent %s of tenant %s: %w", in.ID, tenant, err)
	}
	header := nats.Header{jetstream.MsgIDHeader: []string{p.repeats.name(tenant, in.ID)}}
	if p.by != "" {
		header[ledger.ByHeader] = []string{p.by}
	}
	return &message{tenant, in.ID, &nats.Msg{Subject: ledger.PublishSubject(tenant), Header: header, Data: data}}, nil
}

// publish tries until the ledger has the message, refuses it, or the time is over.
func (p *Producer) publish(ctx context.Context, m *message) (Receipt, error) {
	return p.finish(ctx, m, p.begin(ctx, m))
}

// attempt is one publish under way.
type attempt struct {
	begun  time.Time
	ack    jetstream.PubAckFuture
	err    error // it did not even leave
	denied <-chan struct{}
	end    func() // stops watching denied
}

// begin publishes once.
func (p *Producer) begin(ctx context.Context, m *message) attempt {
	a := attempt{begun: time.Now()}
	if ctx.Err() != nil {
		a.end, a.err = func() {}, fmt.Errorf("%w: %w", errOver, context.Cause(ctx))
		return a
	}
	a.denied, a.end = p.denials.Watch(m.msg.Subject, ledger.Intents.Subject(p.ledger.ShardOf(m.tenant), m.tenant))
	a.ack, a.err = p.js.PublishMsgAsync(m.msg)
	return a
}

// wait waits for the acknowledgement, no longer than ackTimeout.
func (a *attempt) wait(ctx context.Context) (*jetstream.PubAck, error) {
	defer a.end()
	if a.err != nil {
		return nil, a.err
	}
	select {
	case ack := <-a.ack.Ok():
		return ack, nil
	case err := <-a.ack.Err():
		return nil, err
	case <-a.denied:
		return nil, nats.ErrPermissionViolation
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// finish waits for an attempt to end, and tries again while that may help.
func (p *Producer) finish(ctx context.Context, m *message, first attempt) (Receipt, error) {
	ack, err := first.wait(ctx)
	inDoubt := false
	if err != nil {
		if _, ok := ctx.Deadline(); !ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, first.begun.Add(p.patience))
			defer cancel()
		}
		ack, inDoubt, err = p.again(ctx, m, err)
	}
	if err != nil {
		return Receipt{Tenant: m.tenant, ID: m.id}, explain(m.tenant, m.id, err, inDoubt)
	}
	return p.receipt(m, ack)
}

// again publishes again under the same id, until it works, cannot work, or the time is
// over. inDoubt says that one of the tries may have arrived.
func (p *Producer) again(ctx context.Context, m *message, err error) (ack *jetstream.PubAck, inDoubt bool, _ error) {
	var since time.Time // when tries began to end as if for good
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		inDoubt = inDoubt || mayHaveArrived(err)
		switch {
		case ledger.Transient(err):
			since = time.Time{}
		case p.lasting(ctx, m, err):
			if since.IsZero() {
				since = time.Now()
			}
		case noResponders(err): // between two leaders
			since = time.Time{}
		default:
			return nil, inDoubt, err
		}
		if !since.IsZero() && time.Since(since) > forGood || !sleep(ctx, pause/2+rand.N(pause/2)) {
			return nil, inDoubt, err
		}
		last := err
		a := p.begin(ctx, m)
		ack, err = a.wait(ctx)
		switch {
		case err == nil:
			return ack, false, nil
		case ctx.Err() != nil:
			return nil, inDoubt || mayHaveArrived(err), fmt.Errorf("%w (before that: %w)", err, last)
		}
	}
}

// lasting says that a failure is one that lasts, as far as that can be told: a stream
// without room, since a server that stops says the same; or no stream to take it, and none
// that will.
func (p *Producer) lasting(ctx context.Context, m *message, err error) bool {
	if !noResponders(err) {
		return ledger.IsFull(err)
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	for look := range looks { // a cluster that comes together tells many things
		if look > 0 && !sleep(ctx, betweenLooks) {
			return false
		}
		if unmapped, err := p.ledger.Unmapped(ctx, m.tenant); err != nil || !unmapped {
			return false
		}
	}
	return true
}

// looks is how often it has to look as if a failure lasts, and betweenLooks the time between two.
const (
	looks        = 3
	betweenLooks = 400 * time.Millisecond
)

// receipt checks where an intent arrived.
func (p *Producer) receipt(m *message, ack *jetstream.PubAck) (Receipt, error) {
	r := Receipt{Tenant: m.tenant, ID: m.id, Shard: p.ledger.ShardOf(m.tenant), Seq: ack.Sequence, Duplicate: ack.Duplicate}
	if want := ledger.StreamName(r.Shard); ack.Stream != want {
		return r, fmt.Errorf("producer: publish intent %s of tenant %s: %w (%s instead of %s)", m.id, m.tenant, ErrMisrouted, ack.Stream, want)
	}
	return r, nil
}

// sleep waits, and says whether ctx still lives.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
