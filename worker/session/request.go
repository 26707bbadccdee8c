package session

import (
	"context"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// tooLate stands for a request that was not made: the tenant's rate limit, or its breaker,
// would have let it go only after its time.
var tooLate = broker.Verdict{Kind: broker.Expired, Message: "the request had to wait for longer than it was of use"}

// request makes one request of the broker, as soon as the tenant's breaker, rate limit and
// pool let it go, but not after until. All requests pass through here. It fails only where the
// session is to end, or the tenant's terms are to be looked at again.
func (s *Session) request(ctx context.Context, t *task, call order.Call, until time.Time, send func(context.Context) broker.Verdict) (broker.Verdict, error) {
	for {
		v, err := s.requestOnce(ctx, t, call, until, send)
		if !errors.Is(err, errLapsed) {
			return v, err
		}
	}
}

func (s *Session) requestOnce(ctx context.Context, t *task, call order.Call, until time.Time, send func(context.Context) broker.Verdict) (broker.Verdict, error) {
	waits := s.breaker.open || s.limiter.wait(time.Now()) > 0 || s.pooled()
	ok, err := s.cleared(ctx, t, until)
	if ok && err == nil {
		ok, err = s.draw(ctx, t, call, until)
	}
	defer s.giveBack()
	switch {
	case err != nil:
		return broker.Verdict{}, err
	case closed(s.stale):
		s.log.Warn().Uint64("intent_seq", t.outcome.IntentSeq).Msg("an earlier owner's outcome came late; looking at the ledger again")
		s.doubt = Doubt{Suspects, math.MaxUint64, time.Now()} // it may have more at the broker
		s.wake, s.paused = time.Now(), false
		return broker.Verdict{}, errAside
	case !ok:
		return tooLate, nil
	case s.obey(ctx, t.open), !s.lets(call):
		return broker.Verdict{}, errTerms
	}
	if gate := t.gate; gate != nil && waits && changes(call) {
		if err := gate(); err != nil {
			return broker.Verdict{}, err
		}
	}
	v := s.send(ctx, send)
	if v.Kind == broker.Expired && s.lapsed() {
		return v, errLapsed
	}
	s.limiter.take(time.Now())
	t.note(call, v)
	s.learn(ctx, v)
	if disowned(v) {
		if renewed, err := s.renew(ctx); renewed || err != nil {
			if !call.Asks() {
				t.wrote(v)
			}
			return broker.Verdict{}, err
		}
	}
	return v, nil
}

// changes says that a request makes an order, or another one of it.
func changes(call order.Call) bool { return call == order.CallPlace || call == order.CallReplace }

// cleared waits until a request may be made; false if until came first.
func (s *Session) cleared(ctx context.Context, t *task, until time.Time) (bool, error) {
	if s.breaker.open {
		if ok, err := s.turn(ctx, t, until); !ok || err != nil {
			return false, err
		}
	}
	for {
		now := time.Now()
		wait := s.limiter.wait(now)
		switch {
		case wait <= 0:
			return true, nil
		case !now.Before(until):
			return false, nil
		}
		s.log.Debug().Dur("wait", wait).Msg("the rate limit is reached")
		err := s.linger(ctx, t, order.WhyRateLimit, earlier(now.Add(wait), until), nil)
		if errors.Is(err, errAside) { // the next session asks again what this one has asked
			s.wake = earlier(now.Add(s.limiter.waitFor(t.requests+1, now)), until)
		}
		if err != nil {
			return false, err
		}
	}
}

// turn waits until the open breaker lets a probe go: when its pause is over and the watch
// agrees, or when the watch says that it is its turn, or that the broker is back. False if until came first.
func (s *Session) turn(ctx context.Context, t *task, until time.Time) (bool, error) {
	b := &s.breaker
	if !b.let {
		s.member.Queue(ctx, until)
		if err := s.linger(ctx, t, order.WhyBreaker, earlier(b.until, until), s.member.Turn()); err != nil {
			return false, err
		}
	}
	if !b.let && time.Now().Before(until) {
		s.member.Want(ctx, until)
		err := s.linger(ctx, t, order.WhyBreaker, until, s.member.Turn())
		if errors.Is(err, errAside) { // it may be any time
			s.wake = earlier(time.Now().Add(max(b.pause, firstBreak)), until)
		}
		if err != nil {
			return false, err
		}
	}
	if !b.let {
		return false, nil
	}
	if err := s.linger(ctx, t, order.WhyBreaker, earlier(b.until, until), nil); err != nil {
		return false, err
	}
	if time.Now().Before(b.until) {
		return false, nil
	}
	s.log.Info().Msg("breaker probing: the next request decides")
	return true, nil
}

// errAside says that the session was about to wait, until wake, and others want its place.
var errAside = errors.New("session: set aside")

// leastAside is the least wait for which a session gives its place up: less costs more to
// hand over than it gives to others.
const leastAside = 100 * time.Millisecond

// linger waits on the broker's account: until a moment, or until the watch gives the session
// its turn. All waiting for a broker passes through here, and is told by the task's outcome.
func (s *Session) linger(ctx context.Context, t *task, why order.Why, until time.Time, turn <-chan time.Duration) error {
	w := order.Wait{Why: why, From: time.Now()}
	noted := s.notes != nil && until.Sub(w.From) >= worthANote
	if noted {
		s.note(ctx, Note{Why: why, Since: w.From, Until: until})
	}
	err := s.stay(ctx, until, turn, t.open)
	if noted {
		s.note(ctx, Note{})
	}
	if errors.Is(err, errAside) {
		t.course.aside = w // it has only begun
		return err
	}
	w.Until = time.Now()
	t.course.waited(w)
	return err
}

// stay is linger's wait.
func (s *Session) stay(ctx context.Context, until time.Time, turn <-chan time.Duration, open bool) error {
	select {
	case after := <-turn:
		s.breaker.release(time.Now().Add(after))
		return nil
	default:
	}
	d := time.Until(until)
	if d <= 0 {
		return nil
	}
	yield := s.yield
	if d < leastAside || s.keeps {
		yield = nil
	}
	s.timer.Reset(d)
	defer s.timer.Stop()
	select {
	case after := <-turn:
		s.breaker.release(time.Now().Add(after))
		return nil
	case s.token = <-s.waiter.Token():
		return nil
	case <-s.timer.C:
		return nil
	case <-s.draining:
		return errEnd
	case <-yield:
		s.wake, s.paused = until, false
		return errAside
	case terms := <-s.changes:
		s.adopt(ctx, terms, open)
		return errTerms
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// learn draws conclusions for the next requests from what became of one.
func (s *Session) learn(ctx context.Context, v broker.Verdict) {
	now := time.Now()
	s.limiter.learn(now, s.own(v))
	s.disowned = s.disowned || disowned(v)
	switch judge(v) {
	case healthy:
		if s.breaker.open {
			s.log.Info().Int("failures", s.breaker.failures).Msg("breaker closed: the broker answers again")
			s.member.Closed(ctx)
		} else {
			s.member.Succeeded(ctx)
		}
		s.breaker.close()
	case ill:
		if s.breaker.failed(now) {
			s.log.Warn().Int("failures", s.breaker.failures).Dur("pause", s.breaker.until.Sub(now)).
				Str("problem", problem(v)).Msg("breaker open: no requests but a probe after the pause")
			s.member.Failing(ctx)
		}
	case nothing:
	}
}

// disowned says that the broker does not know the keys of a request.
func disowned(v broker.Verdict) bool {
	return v.Kind == broker.Rejected && (v.HTTPStatus == http.StatusUnauthorized || v.HTTPStatus == http.StatusForbidden && v.Code == 0)
}

// renew says whether the tenant got other keys than those that the broker did not know; then
// it returns errTerms, too: the broker booked nothing, and is asked again. Whoever revokes keys
// after they were replaced loses no intent, however soon: what is asked for here is what was
// recorded before now.
func (s *Session) renew(ctx context.Context) (bool, error) {
	if s.cfg.Refresh == nil || s.keys == "" {
		return false, nil
	}
	_, err := persist(ctx, s, "read the tenant's keys", s.pause, func() (struct{}, error) { return struct{}{}, s.cfg.Refresh(ctx) })
	if err != nil {
		return false, err
	}
	refused := s.keys
	if err := s.dial(ctx); err == nil && s.keys == refused {
		return false, nil
	}
	s.log.Info().Msg("the broker does not know the keys any more, and the tenant has others: using those")
	return true, errTerms
}

// rest waits before a request is made again, at most until a moment. After many failures
// the breaker has a pause of its own.
func (s *Session) rest(ctx context.Context, t *task, why order.Why, until time.Time) error {
	if s.breaker.open {
		return nil
	}
	return s.linger(ctx, t, why, earlier(time.Now().Add(t.delay.next()), until), nil)
}

// earlier is the moment that comes first from now on: one may be of the monotonic clock and
// the other of the wall clock, which cannot be compared directly once the latter was set.
func earlier(a, b time.Time) time.Time {
	if time.Until(a) < time.Until(b) {
		return a
	}
	return b
}
