package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// tailHeartbeat is how often the server shows a quiet consumer that it lives. Two
	// missed ones start the consumer anew from where it was: a dead server, or a lost
	// consumer, is noticed within about a second.
	tailHeartbeat = 500 * time.Millisecond
	// pullExpiry is how long the server waits for us to ask for more.
	pullExpiry = 30 * time.Second
	// inactive is how long the server keeps a consumer that nobody reads any more.
	inactive = time.Minute
	// scarce is that for a user who has few.
	scarce = 10 * time.Second
	// pacedInactive is that of a consumer which may have nothing to send for long.
	pacedInactive = time.Hour

	// The time for making a consumer: little, so that a request that was lost with its
	// server costs little, and more each time, for a server that is merely slow; never
	// much, since a cluster that elects its leaders loses several requests in a row, and
	// nobody serves a shard meanwhile.
	firstPatience, lastPatience = time.Second, 5 * time.Second
	// The pause before the next try.
	firstPause, lastPause = 50 * time.Millisecond, time.Second
)

// consume reads a stream's messages in their order, up to the one with the sequence number
// end or, if that is 0, whatever comes, and calls deliver for each, from one goroutine. All
// waiting for a server, a leader or a permission that is away is here: it goes on however
// long that takes. It ends with nil at the end, with ctx's error, or deliver's, or the first
// one that waiting cannot cure.
func (l *Ledger) consume(ctx context.Context, stream string, cfg jetstream.ConsumerConfig, end uint64, deliver deliverer) error {
	status := l.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.CLOSED)
	defer l.nc.RemoveStatusListener(status)
	r := &reading{ledger: l, stream: stream, cfg: cfg, end: end, lasts: cfg.DeliverPolicy == jetstream.DeliverLastPerSubjectPolicy, deliver: deliver, status: status, pause: firstPause, patience: firstPatience}
	r.cfg.AckPolicy = jetstream.AckNonePolicy
	r.cfg.MemoryStorage, r.cfg.Replicas = true, 1
	r.cfg.InactiveThreshold = inactive
	if l.readers != nil {
		r.cfg.InactiveThreshold = scarce
	}
	if r.paced() {
		r.cfg.InactiveThreshold = pacedInactive
	}
	for {
		err := r.run(ctx)
		if errors.Is(err, errRead) {
			err = r.whole(ctx)
		}
		switch {
		case r.refused != nil:
			return r.refused
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case incurable(err):
			return fmt.Errorf("ledger: read %s: %w", stream, err)
		}
		select {
		case <-time.After(r.pause/2 + rand.N(r.pause/2)):
		case <-ctx.Done():
		}
		r.pause = min(2*r.pause, lastPause)
	}
}

type deliverer func(jetstream.Msg, *jetstream.MsgMetadata) error

// reading is one consume: a consumer, and after each trouble another one that begins where
// the last one was. The client library's ordered consumer does the same, but waits up to
// ten seconds at a time for an answer that was lost, and begins a tail of new messages at
// their end again.
type reading struct {
	ledger  *Ledger
	stream  string
	cfg     jetstream.ConsumerConfig // of the next consumer
	end     uint64                   // the last message that is wanted; 0 for all that come
	lasts   bool                     // the last of each subject: one that was at most end may be behind it by now
	deliver deliverer
	refused error // what deliver ended with

	status          <-chan nats.Status
	pause, patience time.Duration
}

// run reads until there is trouble.
func (r *reading) run(ctx context.Context) error {
	if err := r.ledger.awaitConnection(ctx, r.status, nil); err != nil {
		return err
	}
	cons, release, err := r.create(ctx)
	if err != nil {
		return err
	}
	defer release()
	msgs, err := cons.Messages(
		jetstream.PullMaxMessages(1000),
		jetstream.PullExpiry(pullExpiry),
		jetstream.PullHeartbeat(tailHeartbeat),
		jetstream.WithMessagesErrOnMissingHeartbeat(!r.paced()))
	if err != nil {
		return err
	}
	defer msgs.Stop()
	ctx, cut := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { r.awaitCut(ctx, cut) })
	defer watching.Wait()
	defer cut()
	for last := uint64(0); ; last++ {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Consumer != last+1 {
			return errGap
		}
		if r.refused = r.deliver(m, meta); r.refused != nil {
			return r.refused
		}
		r.begin(meta.Sequence.Stream + 1)
		r.pause, r.patience = firstPause, firstPatience
		if r.end > 0 && (meta.Sequence.Stream >= r.end && !r.lasts || meta.NumPending == 0) {
			return errRead
		}
	}
}

// paced says that the server sends the messages at their original pace. Between two it is
// then as quiet as the ledger was, heartbeats and all: only the connection shows that it
// lives.
func (r *reading) paced() bool { return r.cfg.ReplayPolicy == jetstream.ReplayOriginalPolicy }

// errRead says that everything that was wanted is read, as far as the consumer's server knows.
var errRead = errors.New("read to the end")

// errLags says that the consumer's server does not know all that was wanted.
var errLags = errors.New("the consumer's server is behind the stream's leader")

// whole asks the stream's leader whether a reading that came to nothing more before its end
// has missed anything: its consumer is at any of the servers that have the stream, and that
// one may lag behind what was acknowledged long ago.
func (r *reading) whole(ctx context.Context) error {
	if r.cfg.DeliverPolicy == jetstream.DeliverByStartTimePolicy {
		return nil // the leader cannot be asked so
	}
	next := max(r.cfg.OptStartSeq, 1)
	if f := r.cfg.FilterSubject; r.ledger.readers != nil && f != "" && !strings.Contains(f, "*") {
		return r.wholeBehind(ctx, f, next)
	}
	subjects := r.cfg.FilterSubjects
	switch {
	case r.cfg.FilterSubject != "":
		subjects = []string{r.cfg.FilterSubject}
	case len(subjects) == 0:
		subjects = []string{">"}
	}
	for _, subject := range subjects {
		if next > r.end {
			return nil
		}
		e, err := r.ledger.leaderMsg(ctx, r.stream, getRequest{Seq: next, NextBySubject: subject})
		switch {
		case err == nil && e.Seq <= r.end:
			return errLags
		case err != nil && !errors.Is(err, ErrNone):
			return err
		}
	}
	return nil
}

// wholeBehind is whole for who may ask for a subject's last message alone, and not the leader.
func (r *reading) wholeBehind(ctx context.Context, subject string, next uint64) error {
	m, err := r.ledger.lastOf(ctx, r.stream, subject)
	if errors.Is(err, ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	seq, err := sequence(m)
	if err == nil && seq >= next && seq <= r.end {
		err = errLags
	}
	return err
}

// errGap says that messages of a consumer did not arrive.
var errGap = errors.New("messages were lost on their way")

// awaitCut ends a consumer whose connection is lost: what was on its way to us is lost with
// it, and if nothing follows, no gap would show that.
func (r *reading) awaitCut(ctx context.Context, cut func()) {
	for {
		select {
		case s := <-r.status:
			if s != nats.CONNECTED {
				cut()
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// create makes the next consumer, to be released.
func (r *reading) create(ctx context.Context) (cons jetstream.Consumer, release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	r.patience = min(2*r.patience, lastPatience)
	cons, free, err := r.ledger.createConsumer(ctx, r.stream, r.cfg)
	if err != nil {
		return nil, nil, err
	}
	release = func() {
		r.forget(cons)
		free()
	}
	if r.end > 0 && cons.CachedInfo().NumPending == 0 {
		release()
		return nil, nil, errRead // retention took the rest, it is behind the end, or the server lags
	}
	if p := r.cfg.DeliverPolicy; p == jetstream.DeliverNewPolicy || p == jetstream.DeliverByStartTimePolicy {
		// Now it is settled where that is, also for the next consumer.
		r.begin(cons.CachedInfo().Delivered.Stream + 1)
	}
	return cons, release, nil
}

// begin makes the next consumer begin at a sequence number.
func (r *reading) begin(seq uint64) {
	r.cfg.DeliverPolicy, r.cfg.OptStartSeq, r.cfg.OptStartTime = jetstream.DeliverByStartSequencePolicy, seq, nil
}

// forget tells the server, if it hears us, that a consumer is no longer needed. It would
// find out by itself.
func (r *reading) forget(cons jetstream.Consumer) {
	if r.ledger.nc.IsConnected() {
		_ = r.ledger.nc.Publish(r.ledger.api+"CONSUMER.DELETE."+r.stream+"."+cons.CachedInfo().Name, nil)
	}
}
