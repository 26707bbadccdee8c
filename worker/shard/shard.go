package shard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/fleet"
	"github.com/orderfleet/orderfleet/worker/session"
	"github.com/orderfleet/orderfleet/worker/updates"
	"github.com/rs/zerolog"
)

// memory is how many messages before the low watermark are read again, for the ids of
// intents in them: an id that is used twice is then found without the broker's help. They
// are read while the shard's tenants wait.
const memory = 1 << 12

// patience is how long a shard that is given up waits for requests under way. Whatever
// takes longer is abandoned, and the next owner looks it up: one tenant's slow broker must
// not hold up the others of its shard.
const patience = time.Second

// tailBuffer is how many messages the tail may be ahead of the shard.
const tailBuffer = 256

// Config is what all shards of a worker have in common. Nobody changes it.
type Config struct {
	Session session.Config
	// MaxSessions bounds a shard's sessions, and with them its connections.
	MaxSessions int
	// Room is how many bytes of waiting messages the shard keeps; it reads the others
	// from the ledger a second time.
	Room int
	// Updates, if set, has the tenants' open orders followed; MaxFollowers bounds how many
	// tenants at once, and with it two connections each.
	Updates      *updates.Config
	MaxFollowers int
	// Registry, if set, says under which terms the tenants trade.
	Registry Registry
	// Load, if set, is where the worker's shards count what they have to do.
	Load *Load
	// Conn, if set, is where operators ask the shards' owner; see package shared/inquiry.
	Conn *nats.Conn
	// Reconcile, if set, is how the shards' tenants are reconciled with their brokers.
	Reconcile *Reconcile
	// Reseal, if set, opens a tenant's credentials and seals them to the recipients of now.
	Reseal func(ctx context.Context, tenant string) (inquiry.Resealed, error)
	// Serving, if set, is called when a shard is folded and its tenants are served.
	Serving func(shard int)
}

// shard is one served shard. Only the goroutine in Serve touches it.
type shard struct {
	cfg   *Config
	lease fleet.Lease
	log   zerolog.Logger

	signature []byte // of our outcomes

	fold    *ledger.Fold
	begin   uint64 // sequence number from which on it was read
	foldEnd uint64 // sequence number of the last message when the lease began
	folded  bool   // up to there
	// doubts are the tenants whose next intents may be at the broker without an outcome that
	// tells of it.
	doubts map[string]session.Doubt

	live map[string]*served
	// aside are the tenants whose session ended although they have work: something else
	// than room is to come first. alarms are for those that wait for a moment.
	aside  map[string]aside
	alarms alarms
	// rest is what sessions gave back: it comes before what the fold has.
	rest map[string][]ledger.Due
	// states are what sessions left to the next one of their tenant.
	states     map[string]session.State
	waiting    queue // tenants that have work and no session
	counted    counted
	complained time.Time // the last time, of too few sessions

	// gaps are the parts of tenants' work that lie before what the fold has read.
	gaps     map[string]*gap
	position uint64            // sequence number of the last message
	left     map[string]uint64 // the first intents that drained sessions left without an outcome

	following following
	terms     terms

	entries chan ledger.Entry // closed when the tail has returned
	tailErr error             // why; to be read after entries is closed
	asks    chan session.Ask
	notes   chan session.Note
	ended   chan ended
	desk    desk
	abandon context.CancelCauseFunc // ends the sessions
}

// served is a tenant that has a session.
type served struct {
	inbox   chan session.Item
	behind  bool // its session reads the ledger, not the inbox
	yield   chan struct{}
	yielded bool // yield is closed: its session was told that others wait
	// superseded is closed, and stale set, when an earlier owner's outcome came late.
	superseded chan struct{}
	stale      bool
	ending     bool // its session was told to end

	first, taken uint64       // the first and the last intent that its session was given
	outcome      []byte       // the last of its outcomes on the ledger, as it stands there
	control      uint64       // the last control that came while it had its session
	note         session.Note // what its session waits for

	terms   *tenant.Terms // what its session was given last, here:
	changes chan *tenant.Terms
	obeys   *tenant.Terms // those of them that it took over
	open    bool          // then a request from before had no answer
}

// ended says that a session's goroutine has returned.
type ended struct {
	tenant  string
	inDoubt session.Doubt
	state   session.State
	err     error
}

// errTooSlow abandons the sessions whose requests outlast the shard's patience.
var errTooSlow = errors.New("shard: given up before the broker answered")

// Serve serves a shard as long as its lease says. It is a [fleet.Serve].
func (c *Config) Serve(ctx context.Context, l fleet.Lease) (fleet.Legacy, error) {
	s := &shard{
		cfg:     c,
		lease:   l,
		log:     c.Session.Log.With().Int("shard", l.Shard).Uint64("epoch", l.Epoch).Logger(),
		fold:    ledger.NewFold(l.Shard, c.Room),
		doubts:  make(map[string]session.Doubt),
		live:    make(map[string]*served),
		aside:   make(map[string]aside),
		rest:    make(map[string][]ledger.Due),
		states:  make(map[string]session.State),
		left:    make(map[string]uint64),
		entries: make(chan ledger.Entry, tailBuffer),
		asks:    make(chan session.Ask),
		notes:   make(chan session.Note),
		ended:   make(chan ended),
	}
	s.terms.registry = c.Registry
	s.signature = signature(c.Session.Worker, l.Epoch)
	s.begin = l.Mark.Low - min(l.Mark.Low, memory)
	s.gaps = gapsOf(l.Mark, s.begin)
	ctx, s.abandon = context.WithCancelCause(ctx)
	defer s.abandon(nil)
	tailCtx, stopTail := context.WithCancel(ctx)
	defer stopTail()
	go func() {
		defer close(s.entries)
		s.tailErr = s.tail(tailCtx, s.begin)
	}()

	err := s.replay(ctx)
	if err == nil {
		s.open(ctx)
		err = s.route(ctx)
	}
	s.desk.close()
	stopTail()
	s.abandon(err) // sessions that still run end
	err = cmp.Or(err, s.awaitSessions(), s.following.await(s))
	s.desk.wait()
	for range s.entries { // until the tail has returned
	}
	s.settled()
	s.count()
	return s.legacy(), lost(err)
}

// lost says in the fleet's words that the shard has another owner.
func lost(err error) error {
	if fenced, ok := errors.AsType[*session.FencedError](err); ok {
		return fmt.Errorf("%w: %w", &fleet.NewerError{Epoch: fenced.Epoch}, err)
	}
	if fenced, ok := errors.AsType[*updates.FencedError](err); ok {
		return fmt.Errorf("%w: %w", &fleet.NewerError{Epoch: fenced.Epoch}, err)
	}
	return err
}

// tail feeds the shard with the messages of its stream.
func (s *shard) tail(ctx context.Context, from uint64) error {
	return s.cfg.Session.Ledger.Tail(ctx, s.lease.Shard, from, func(e ledger.Entry) error {
		select {
		case s.entries <- e:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// announce writes on the ledger that the shard is ours from here on, and returns where that
// stands; 0 if the lease drains before. Trouble that passes is waited for as long as the
// lease lasts, and so is a lack of room: no outcome would have any either.
func (s *shard) announce(ctx context.Context) (uint64, error) {
	epoch := ledger.Epoch{Epoch: s.lease.Epoch, Worker: s.cfg.Session.Worker, At: time.Now()}
	level := zerolog.WarnLevel
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		seq, err := s.cfg.Session.Ledger.Begin(ctx, s.lease.Shard, epoch)
		if err == nil || ctx.Err() != nil || !ledger.Transient(err) && !ledger.IsFull(err) {
			return seq, err
		}
		s.log.WithLevel(level).Err(err).Msg("the shard cannot begin; trying again")
		level = zerolog.DebugLevel // once is enough
		select {
		case <-time.After(pause):
		case <-s.lease.Draining:
			return 0, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// replay folds the ledger up to its own epoch, before any session starts. Of what is due
// then, the owner before may have left something at the broker.
func (s *shard) replay(ctx context.Context) error {
	began := time.Now()
	end, err := s.announce(ctx)
	if err != nil || end == 0 {
		return err
	}
	messages := 0
	for seq := uint64(0); seq < end; messages++ {
		select {
		case e, ok := <-s.entries:
			if !ok {
				return s.tailErr
			}
			seq, s.position = e.Seq, e.Seq
			s.apply(e)
		case <-s.lease.Draining:
			return nil
		}
	}
	if ok, err := s.agree(ctx); !ok || err != nil {
		return err
	}
	s.foldEnd, s.folded = end, true
	s.suspect()
	due := 0
	for name := range s.tenantsDue {
		due++
		s.admit(ctx, name)
	}
	s.count()
	s.log.Info().Uint64("low", s.lease.Mark.Low).Int("behind", len(s.gaps)).Int("messages", messages).Int("tenants", s.fold.Tenants()).
		Int("due", due).Int("in_doubt", len(s.doubts)).Dur("took", time.Since(began)).Msg("shard folded")
	if s.cfg.Serving != nil {
		s.cfg.Serving(s.lease.Shard)
	}
	return nil
}
