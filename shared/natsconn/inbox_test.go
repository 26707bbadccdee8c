package natsconn_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/natsconn"
)

// permitted is a server with one user, who may subscribe to anything that is not denied.
func permitted(denied ...string) server.Options {
	return server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		Users: []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{
			Subscribe: &server.SubjectPermission{Deny: denied},
		}}},
	}
}

// TestDeniedForLong: a connection that may not hear anything for hundreds of reconnects
// works when it may again. Twenty denials at a time do not make it reconnect any faster
// than its pauses say.
func TestDeniedForLong(t *testing.T) {
	const (
		renewals    = 300
		first, last = time.Millisecond, 10 * time.Millisecond
	)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	srv := serve(t, permitted())
	renewed := make(chan struct{}, 100*renewals)
	nc, err := natsconn.Dial(ctx, "a test", natsconn.Options{URL: srv.ClientURL(), User: "u", Password: "p"},
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), nats.ReconnectHandler(func(*nats.Conn) { renewed <- struct{}{} }))
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	defer func() { // a client that is stuck must not hold the test
		go func() { nc.Close(); close(closed) }()
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Error("the connection does not close")
		}
	}()
	if err := natsconn.WatchInbox(nc, first, last); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		if _, err := nc.Subscribe(fmt.Sprintf("echo.%d", n), func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
			t.Fatal(err)
		}
	}
	ask := func() error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := nc.RequestWithContext(ctx, "echo.7", []byte("hello"))
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}

	reload(t, srv, permitted(">"))
	var began time.Time
	for n := range renewals {
		select {
		case <-renewed:
			if n == 0 {
				began = time.Now()
			}
		case <-ctx.Done():
			t.Fatalf("stuck after %d reconnects", n)
		}
	}
	// Its pauses are at least half of what they are on average, and grow: 1, 2, 4, 8, 10 …
	if took, least := time.Since(began), (renewals-5)*last/2; took < least {
		t.Errorf("%d reconnects within %s, less than %s", renewals, took, least)
	}
	reload(t, srv, permitted())
	for err := ask(); err != nil; err = ask() {
		if ctx.Err() != nil {
			t.Fatalf("permitted again, it hears nothing: %v", err)
		}
	}
}

func reload(t *testing.T, srv *server.Server, o server.Options) {
	t.Helper()
	if err := srv.ReloadOptions(&o); err != nil {
		t.Fatal(err)
	}
}
