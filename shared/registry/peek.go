package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// Peek reads what a key's last change says, for a user who may read that key and not the
// history: its signature is its signer's, but whether the signer may sign it, nobody checked.
// Whoever cannot write the key by the server's permissions has not. There is no Record if there
// is no change. A replica may answer that lags behind.
func (s *Store) Peek(ctx context.Context, k Key) (Change, error) {
	found := Change{Name: k.String(), Key: k}
	c, err := s.bucket.Peek(ctx, k.String())
	switch {
	case errors.Is(err, ledger.ErrNone):
		return found, nil
	case err != nil:
		return found, fmt.Errorf("registry: %w", err)
	}
	found.Revision, found.Time = c.Revision, c.Time
	r, _, _, err := parse(c.Value)
	if err != nil {
		return found, fmt.Errorf("%s: %w: %w", k, ErrMalformed, err)
	}
	found.Record, err = decode(k, r.After, c.Revision, c.Value)
	if err != nil {
		return found, fmt.Errorf("%s: %w", k, err)
	}
	return found, nil
}

// Submit writes as [Store.Write] does, for a user who may not read who the operators are:
// whether the change counts, nobody checked.
func (s *Store) Submit(ctx context.Context, by *Signer, k Key, body any, reason string, after uint64) (uint64, error) {
	return s.write(ctx, by, k, body, reason, after, func(*Record) error { return nil })
}
