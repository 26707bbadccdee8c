package natsconn_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/natsconn"
)

// TestDenied: who may not publish somewhere hears so at once, and who that is, as far as the
// server tells; the connection's own handler hears of nothing that a request has told.
func TestDenied(t *testing.T) {
	for _, tc := range []struct {
		name    string
		allowed []string
		who     string
	}{
		{"a user who may ask who it is", []string{"allowed", "_INBOX.>", natsconn.UserInfo}, "DESK_ann"},
		{"a user who may not", []string{"allowed", "_INBOX.>"}, "us"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			desk := server.NewAccount("DESK_ann")
			srv := serve(t, server.Options{Accounts: []*server.Account{desk}, Users: []*server.User{{
				Username: "ann", Password: "p", Account: desk,
				Permissions: &server.Permissions{Publish: &server.SubjectPermission{Allow: tc.allowed}},
			}}})
			var mu sync.Mutex
			var heard []string
			nc, err := natsconn.Dial(t.Context(), "t", natsconn.Options{URL: srv.ClientURL(), User: "ann", Password: "p"},
				nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
					mu.Lock()
					defer mu.Unlock()
					heard = append(heard, err.Error())
				}))
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if _, err := nc.Subscribe("allowed", func(m *nats.Msg) { _ = m.Respond([]byte("yes")) }); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			ask := func(subject string) error {
				return natsconn.Permitted(ctx, nc, subject, func(ctx context.Context) error {
					_, err := nc.RequestWithContext(ctx, subject, nil)
					return err
				})
			}
			for range 2 {
				err := ask("denied")
				denied, ok := errors.AsType[*natsconn.DeniedError](err)
				if !ok || denied.Subject != "denied" || !strings.Contains(err.Error(), "does not let "+tc.who+` publish to "denied"`) || !errors.Is(err, nats.ErrPermissionViolation) {
					t.Errorf("%v", err)
				}
			}
			if ctx.Err() != nil {
				t.Error("it waited for its time-out")
			}
			if err := ask("allowed"); err != nil {
				t.Error(err)
			}
			if err := nc.Publish("another", nil); err != nil { // for which nobody waits
				t.Fatal(err)
			}
			for only := false; !only; {
				mu.Lock()
				only = len(heard) > 0
				for _, h := range heard {
					if !strings.Contains(h, `"another"`) {
						t.Errorf("the handler hears of what was told: %s", h)
					}
				}
				mu.Unlock()
				select {
				case <-time.After(time.Millisecond):
				case <-ctx.Done():
					t.Fatal("the handler hears nothing")
				}
			}
		})
	}
}
