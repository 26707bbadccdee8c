package session

import (
	"context"
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
)

// tooLate stands for a request that was not made: the tenant's rate limit, or its breaker,
// would have let it go only after its time.
var tooLate = broker.Verdict{Kind: broker.Expired, Message: "the request had to wait for longer than it was of use"}

// request makes one request of the broker, as soon as the tenant's breaker and rate limit
// let it go, but not after until. All requests pass through here. It fails only where the
// session is to end.
func (s *Session) request(ctx context.Context, t *task, until time.Time, send func() broker.Verdict) (broker.Verdict, error) {
	ok, err := s.cleared(ctx, until)
	switch {
	case err != nil:
		return broker.Verdict{}, err
	case !ok:
		return tooLate, nil
	}
	s.limiter.take(time.Now())
	v := send()
	t.note(v)
	s.learn(ctx, v)
	return v, nil
}

// cleared waits until a request may be made; false if until came first.
func (s *Session) cleared(ctx context.Context, until time.Time) (bool, error) {
	if s.breaker.open {
		if ok, err := s.turn(ctx, until); !ok || err != nil {
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
		if err := s.stand(ctx, min(wait, until.Sub(now))); err != nil {
			return false, err
		}
	}
}

// turn waits until the open breaker lets a probe go: when its pause is over and the watch
// agrees, or when the watch says that the broker is back. False if until came first.
func (s *Session) turn(ctx context.Context, until time.Time) (bool, error) {
	b := &s.breaker
	if !b.let {
		if err := s.listen(ctx, earlier(b.until, until), s.yield); err != nil {
			return false, err
		}
	}
	if !b.let && time.Now().Before(until) {
		s.member.Want(ctx, until)
		if err := s.listen(ctx, earlier(time.Now().Add(linger), until), nil); err != nil {
			return false, err
		}
	}
	if !b.let && time.Now().Before(until) {
		err := s.listen(ctx, until, s.yield)
		if _, waits := aside(err); waits { // in an outage, until somebody's probe succeeds
			return false, &asideError{earlier(time.Now().Add(b.pause), until)}
		}
		if err != nil {
			return false, err
		}
	}
	if !b.let {
		return false, nil
	}
	if wait := time.Until(earlier(b.until, until)); wait > 0 {
		if err := s.stand(ctx, wait); err != nil {
			return false, err
		}
	}
	if time.Now().Before(b.until) {
		return false, nil
	}
	s.log.Info().Msg("breaker probing: the next request decides")
	return true, nil
}

// linger is how long a session keeps its place for a turn to probe, even if others wait for
// the place: long enough for somebody's turn to come meanwhile.
const linger = 2 * time.Second

// listen waits for the watch's word, at most until a moment, or until others want the place.
func (s *Session) listen(ctx context.Context, until time.Time, yield <-chan struct{}) error {
	s.timer.Reset(time.Until(until))
	defer s.timer.Stop()
	select {
	case after := <-s.member.Turn():
		s.breaker.release(time.Now().Add(after))
		return nil
	case <-s.timer.C:
		return nil
	case <-yield:
		return &asideError{until}
	case <-s.draining:
		return errEnd
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// learn draws conclusions for the next requests from what became of one.
func (s *Session) learn(ctx context.Context, v broker.Verdict) {
	now := time.Now()
	s.limiter.learn(now, v)
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

// rest waits before a request is made again, at most until a moment. After many failures
// the breaker has a pause of its own.
func (s *Session) rest(ctx context.Context, delay *backoff, until time.Time) error {
	if s.breaker.open {
		return nil
	}
	wait := delay.next()
	s.delay = *delay
	return s.stand(ctx, max(min(wait, time.Until(until)), 0))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
