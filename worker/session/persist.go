package session

import (
	"context"
	"errors"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/rs/zerolog"
)

// persist asks the ledger until it answers, be it that there is no such message
// ([ledger.ErrNone]). It fails with what ends the wait between two tries.
func persist[T any](ctx context.Context, s *Session, what string, wait func(context.Context, time.Duration) error, ask func() (T, error)) (T, error) {
	var b backoff
	for {
		answer, err := ask()
		if err == nil || errors.Is(err, ledger.ErrNone) {
			s.troubled = s.troubled && s.under != nil
			return answer, err
		}
		s.trouble(zerolog.WarnLevel).Err(err).Msg("cannot " + what + "; trying again")
		if err := wait(ctx, b.next()); err != nil {
			return answer, err
		}
	}
}

// trouble is a line of the log about trouble with the ledger: with a level if it is the
// first since all was well. What follows would be said by hundreds of tenants many times a
// second.
func (s *Session) trouble(level zerolog.Level) *zerolog.Event {
	if s.troubled {
		level = zerolog.DebugLevel
	}
	s.troubled = true
	return s.log.WithLevel(level)
}
