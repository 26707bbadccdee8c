package outage

import (
	"context"
	"errors"
	"time"
)

// Member is one session's part in a [Watch]. It belongs to the session's goroutine.
type Member struct {
	watch   *Watch
	address string
	asked   <-chan struct{}    // holds the question whether anybody succeeds, if it was put
	turn    chan time.Duration // nil before the session's breaker first opens
}

var errEnded = errors.New("outage: the watch has ended")

// Join makes a session that has a line to a broker a member, and says whether the broker is
// down: a session that learns so opens its breaker at once, as Failing says. Leave when the
// session ends.
func (w *Watch) Join(ctx context.Context, address string) (m *Member, down bool, err error) {
	m = &Member{watch: w, address: address}
	answer := make(chan place, 1)
	w.tell(ctx, event{kind: joined, member: m, answer: answer})
	select {
	case p := <-answer:
		m.asked = p.questions
		return m, p.down, nil
	case <-w.done:
		return nil, false, errEnded
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	}
}

// Succeeded says, if somebody asked, that a request of a session in no trouble succeeded.
func (m *Member) Succeeded(ctx context.Context) {
	select {
	case <-m.asked:
		m.watch.tell(ctx, event{kind: succeeded, member: m})
	default:
	}
}

// Failing says that the session's breaker has opened, or opened again. What Turn said
// before is void.
func (m *Member) Failing(ctx context.Context) {
	m.turn = make(chan time.Duration, 1)
	m.watch.tell(ctx, event{kind: failing, member: m, turn: m.turn})
}

// Queue asks for a turn to probe in an outage, be it now or one that is seen later, and
// waits for it until a moment: so the outage's end is noticed however long the pauses of its
// members are.
func (m *Member) Queue(ctx context.Context, until time.Time) {
	m.watch.tell(ctx, event{kind: queuing, member: m, until: until})
}

// Want asks for leave to probe now, and waits for it until a moment. Unless there is an
// outage in which others come first, Turn has it when Want returns.
func (m *Member) Want(ctx context.Context, until time.Time) {
	heard := make(chan struct{})
	m.watch.tell(ctx, event{kind: wanting, member: m, until: until, heard: heard})
	select {
	case <-heard:
	case <-m.watch.done:
	case <-ctx.Done():
	}
}

// Turn yields, once, that the session may make a request after so long a time.
func (m *Member) Turn() <-chan time.Duration { return m.turn }

// Closed says that a probe succeeded and the session's breaker is closed.
func (m *Member) Closed(ctx context.Context) {
	m.watch.tell(ctx, event{kind: closed, member: m})
}

// Leave ends the membership.
func (m *Member) Leave() {
	m.watch.tell(context.Background(), event{kind: left, member: m})
}
