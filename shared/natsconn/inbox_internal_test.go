package natsconn

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// TestDeafForLong: a server takes the permission to hear answers away for far longer than
// the client's own bounds, from a connection with many subscriptions, and gives it back.
// The connection is made anew once, hears again what it heard before, and can be closed.
func TestDeafForLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.conf")
	configure := func(permissions string) {
		conf := fmt.Sprintf("listen: 127.0.0.1:-1\nauthorization: {users: [{user: u, password: p, permissions: {%s}}]}\n", permissions)
		if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure(`publish: ">", subscribe: ">"`)
	options := func() *server.Options {
		o, err := server.ProcessConfigFile(path)
		if err != nil {
			t.Fatal(err)
		}
		o.NoLog, o.NoSigs = true, true
		return o
	}
	srv, err := server.NewServer(options())
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not come up")
	}

	var violations, reconnects atomic.Int64
	nc, err := nats.Connect(srv.ClientURL(), nats.UserInfo("u", "p"), nats.PermissionErrOnSubscribe(true),
		nats.ReconnectWait(time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) { violations.Add(1) }),
		nats.ReconnectHandler(func(*nats.Conn) { reconnects.Add(1) }))
	if err != nil {
		t.Fatal(err)
	}
	(&hearing{nc: nc, first: time.Millisecond, last: 2 * time.Millisecond}).watch()
	const subscriptions = 10
	heard := make(chan string, subscriptions)
	for i := range subscriptions {
		if _, err := nc.Subscribe(fmt.Sprintf("topic.%d", i), func(m *nats.Msg) { heard <- m.Subject }); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}

	configure(`publish: ">", subscribe: {deny: ">"}`)
	if err := srv.ReloadOptions(options()); err != nil {
		t.Fatal(err)
	}
	const long = 300 // more than the client keeps of a subscription's errors
	await(t, "violations", func() bool { return violations.Load() > long })
	if n := reconnects.Load(); n != 0 {
		t.Errorf("%d reconnects while nothing was to be gained", n)
	}
	configure(`publish: ">", subscribe: ">"`)
	if err := srv.ReloadOptions(options()); err != nil {
		t.Fatal(err)
	}
	await(t, "a reconnect", func() bool { return reconnects.Load() == 1 })
	for i := range subscriptions {
		if err := nc.Publish(fmt.Sprintf("topic.%d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	for range subscriptions {
		select {
		case <-heard:
		case <-time.After(time.Minute):
			t.Fatal("a subscription is deaf")
		}
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		nc.Close()
	}()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Fatal("the connection cannot be closed")
	}
}

func await(t *testing.T, what string, there func() bool) {
	t.Helper()
	late := time.After(time.Minute)
	for !there() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-late:
			t.Fatalf("no %s", what)
		}
	}
}
