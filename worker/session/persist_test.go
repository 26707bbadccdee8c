package session

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/rs/zerolog"
)

// TestTroubleIsSaidOnce: the first try that fails is a warning, the others are not, until
// something worked; that there is no such message is an answer.
func TestTroubleIsSaidOnce(t *testing.T) {
	var log bytes.Buffer
	s := &Session{log: zerolog.New(&log)}
	at := func(context.Context, time.Duration) error { return nil }
	for _, end := range []error{nil, ledger.ErrNone} {
		log.Reset()
		tries := 0
		answer, err := persist(t.Context(), s, "ask", at, func() (int, error) {
			if tries++; tries < 5 {
				return 0, errors.New("no leader")
			}
			return 7, end
		})
		if !errors.Is(err, end) || answer != 7 {
			t.Errorf("answered %d, %v", answer, err)
		}
		if warnings, all := strings.Count(log.String(), `"warn"`), strings.Count(log.String(), "cannot ask"); warnings != 1 || all != 4 {
			t.Errorf("%d warnings in %d lines:\n%s", warnings, all, &log)
		}
	}
	ends := errors.New("ends")
	if _, err := persist(t.Context(), s, "ask", func(context.Context, time.Duration) error { return ends },
		func() (int, error) { return 0, errors.New("no leader") }); !errors.Is(err, ends) {
		t.Errorf("ended with %v", err)
	}
}
