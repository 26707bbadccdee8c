package session

import (
	"context"
	"errors"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/pool"
)

// errLapsed says that the token of a request was no longer good when it was about to be
// written: another one is to be had.
var errLapsed = errors.New("session: the pool's token has lapsed")

// firmly is how long a session keeps its place while it waits for its pool, although others
// want it: who left at once would never be there when its turn comes.
const firmly = time.Second

// pooled says that the tenant's requests are taken from a pool.
func (s *Session) pooled() bool { return s.cfg.Pools != nil && s.terms.Pool != "" }

// draw waits for a token of the tenant's pool, if it is in one; false if until came first.
func (s *Session) draw(ctx context.Context, t *task, call order.Call, until time.Time) (bool, error) {
	if !s.pooled() {
		return true, nil
	}
	s.waiter = s.cfg.Pools.Wait(pool.Request{Pool: s.terms.Pool, Tenant: s.tenant, Weight: s.terms.Weight, Class: classOf(t, call)})
	s.keeps = true
	err := s.linger(ctx, t, order.WhyPool, earlier(time.Now().Add(firmly), until), nil)
	s.keeps = false
	if err == nil && s.token == nil {
		err = s.linger(ctx, t, order.WhyPool, until, nil)
		if errors.Is(err, errAside) {
			s.wake = time.Now() // behind those that want the place
		}
	}
	if s.token == nil {
		s.cfg.Pools.Leave(s.waiter)
	}
	s.waiter = nil
	return s.token != nil, err
}

// classOf says how urgent a request is to the pool: what cancels, and what finds out what
// became of another request, comes first.
func classOf(t *task, call order.Call) pool.Class {
	switch {
	case t.intent.Kind == order.KindCancel, t.intent.Kind == order.KindCancelAll, call == order.CallLookup && t.ambiguous:
		return pool.Urgent
	}
	return pool.Ordinary
}

// send makes a request, with the token for it if there is one.
func (s *Session) send(ctx context.Context, send func(context.Context) broker.Verdict) broker.Verdict {
	tok := s.token
	if tok == nil {
		return send(ctx)
	}
	s.token = nil // should a bug end this, nobody says that no request was made
	v := send(broker.WrittenBefore(ctx, tok.Until))
	if v.Submitted.IsZero() {
		s.token = tok
	} else {
		s.cfg.Pools.Used(tok, v)
	}
	return v
}

// lapsed says that the token at hand, with which no request was made, is no longer good.
func (s *Session) lapsed() bool { return s.token != nil && !time.Now().Before(s.token.Until) }

// giveBack gives a token back with which no request was made.
func (s *Session) giveBack() {
	if s.token != nil {
		s.cfg.Pools.Back(s.token)
		s.token = nil
	}
}

// own is what of a verdict the tenant's own limiter is to learn: what the broker says of the
// limit of a pool is of no use to one of its tenants.
func (s *Session) own(v broker.Verdict) broker.Verdict {
	if s.pooled() {
		v.Limits = broker.Limits{}
	}
	return v
}
