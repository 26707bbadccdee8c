package session

import (
	"context"
	"errors"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// checkHeld ends the session if its tenant is held: the last outcome is a failure, the
// tenant's policy is to hold after one, and no release stands behind it on the ledger. So
// whoever owns the shard finds the same.
func (s *Session) checkHeld(ctx context.Context) error {
	if s.status != order.Failed || s.free == s.tip {
		return nil
	}
	for s.dial(ctx) == nil && s.holds { // without a line its intents are blocked, each with the reason
		release, err := s.released(ctx)
		if err != nil {
			return err
		}
		if release != nil {
			s.log.Warn().Str("by", release.By).Str("reason", release.Reason).Msg("tenant released: its intents go on")
			s.free = s.tip
			return nil
		}
		a, err := s.ask(ctx, Ask{Held: s.tip, Rest: s.backlog})
		if err != nil {
			return err
		}
		if a.Verb == End {
			s.breaker.close() // who releases it wants it tried
			s.log.Error().Uint64("outcome_seq", s.tip).Msgf("tenant held: an intent failed, and its later ones wait; look into it, then: fleetctl release %s --reason ...", s.tenant)
			return errEnd
		}
	}
	return nil
}

// released is the first release behind the tenant's last outcome; nil if there is none. It
// asks until the ledger answers. Controls with other verbs are passed over.
func (s *Session) released(ctx context.Context) (*order.Control, error) {
	for from := s.tip + 1; ; {
		type control struct {
			order.Control
			seq uint64
		}
		c, err := persist(ctx, s, "read a control message", s.pause, func() (c control, err error) {
			c.Control, c.seq, err = s.cfg.Ledger.NextControl(ctx, s.shard, s.tenant, from)
			if _, malformed := errors.AsType[*order.FieldError](err); malformed {
				s.log.Error().Err(err).Msg("a control message makes no sense; going on without it")
				return control{seq: c.seq}, nil
			}
			return c, err
		})
		switch {
		case errors.Is(err, ledger.ErrNone):
			return nil, nil
		case err != nil:
			return nil, err
		case c.Verb == order.Release:
			return &c.Control, nil
		}
		from = c.seq + 1
	}
}
