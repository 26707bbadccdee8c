package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsserver"
)

// TestTailGoesOnAfterARestart: a tail misses nothing and repeats nothing when its
// server goes away and comes back.
func TestTailGoesOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	srv, err := natsserver.Start(natsserver.Options{Dir: dir, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(srv.URL(), nats.ReconnectWait(10*time.Millisecond), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s := ledger.DefaultSettings()
	s.Shards = 1
	if _, err := ledger.Provision(t.Context(), nc, s); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	seqs, ended := make(chan uint64, 100), make(chan error, 1)
	go func() {
		ended <- l.Tail(ctx, 0, 1, func(e ledger.Entry) error { seqs <- e.Seq; return nil })
	}()
	for i := range uint64(5) {
		publish(t, nc, "acme", fmt.Sprintf("a%d", i))
		if got := <-seqs; got != i+1 {
			t.Fatalf("got %d, wanted %d", got, i+1)
		}
	}

	port := nc.ConnectedAddr()[strings.LastIndex(nc.ConnectedAddr(), ":")+1:]
	srv.Stop()
	var n int
	if _, err := fmt.Sscan(port, &n); err != nil {
		t.Fatal(err)
	}
	srv, err = natsserver.Start(natsserver.Options{Dir: dir, Port: n, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	other, err := nats.Connect(srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	publish(t, other, "acme", "after")
	if got := <-seqs; got != 6 {
		t.Errorf("after the restart came %d, wanted 6", got)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the tail ended with %v", err)
	}
}

// TestFollowFromNowOutlivesARestart: a reader of what comes has seen nothing yet when the
// server goes; what is published before it is back at the server is not passed over.
func TestFollowFromNowOutlivesARestart(t *testing.T) {
	options := natsserver.Options{Dir: t.TempDir(), Shards: 1}
	srv, err := natsserver.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { srv.Stop() }()
	nc, err := nats.Connect(srv.URL(), nats.ReconnectWait(300*time.Millisecond), nats.ReconnectJitter(0, 0), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s := ledger.DefaultSettings()
	s.Shards = 1
	if _, err := ledger.Provision(t.Context(), nc, s); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, nc, "acme", "before")

	ctx, cancel := context.WithCancel(t.Context())
	seqs, ended := make(chan uint64, 100), make(chan error, 1)
	go func() {
		ended <- l.FollowTenant(ctx, "acme", ledger.Start{}, func(e ledger.Entry) error { seqs <- e.Seq; return nil }, ledger.Intents)
	}()
	pulled(t, l)
	if _, err := fmt.Sscan(nc.ConnectedAddr()[strings.LastIndex(nc.ConnectedAddr(), ":")+1:], &options.Port); err != nil {
		t.Fatal(err)
	}
	srv.Stop()
	if srv, err = natsserver.Start(options); err != nil {
		t.Fatal(err)
	}
	other, err := nats.Connect(srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	publish(t, other, "acme", "meanwhile")
	if got := <-seqs; got != 2 {
		t.Errorf("got %d, wanted 2", got)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	consumers(t, l, 0) // nothing stays behind at the server
}

// TestAwaitConnection: its ends, and that a connection which comes back is one.
func TestAwaitConnection(t *testing.T) {
	options := natsserver.Options{Dir: t.TempDir(), Shards: 1}
	srv, err := natsserver.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { srv.Stop() }()
	lost := make(chan struct{}, 1)
	nc, err := nats.Connect(srv.URL(), nats.ReconnectWait(10*time.Millisecond), nats.MaxReconnects(-1),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { lost <- struct{}{} }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s := ledger.DefaultSettings()
	s.Shards = 1
	if _, err := ledger.Provision(t.Context(), nc, s); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AwaitConnection(t.Context(), nil); err != nil {
		t.Errorf("connected: %v", err)
	}
	if _, err := fmt.Sscan(nc.ConnectedAddr()[strings.LastIndex(nc.ConnectedAddr(), ":")+1:], &options.Port); err != nil {
		t.Fatal(err)
	}
	srv.Stop()
	<-lost
	stop := make(chan struct{})
	close(stop)
	if err := l.AwaitConnection(t.Context(), stop); err != nil {
		t.Errorf("stopped: %v", err)
	}
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(enough)
	if err := l.AwaitConnection(ctx, nil); !errors.Is(err, enough) {
		t.Errorf("its context has ended: %v", err)
	}
	back := make(chan error, 1)
	go func() { back <- l.AwaitConnection(t.Context(), nil) }()
	if srv, err = natsserver.Start(options); err != nil {
		t.Fatal(err)
	}
	if err := <-back; err != nil || !nc.IsConnected() {
		t.Errorf("the server is back: %v, connected %v", err, nc.IsConnected())
	}
	nc.Close()
	if err := l.AwaitConnection(t.Context(), nil); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("closed: %v", err)
	}
}

// pulled waits until a reader waits for messages at the server.
func pulled(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	for t.Context().Err() == nil {
		stream, err := l.JetStream().Stream(t.Context(), ledger.StreamName(0))
		if err != nil {
			t.Fatal(err)
		}
		for info := range stream.ListConsumers(t.Context()).Info() {
			if info.NumWaiting > 0 {
				return
			}
		}
		runtime.Gosched()
	}
}

// consumers waits until a shard's stream has so many consumers.
func consumers(t *testing.T, l *ledger.Ledger, n int) {
	t.Helper()
	for {
		stream, err := l.JetStream().Stream(t.Context(), ledger.StreamName(0))
		if err != nil {
			t.Fatal(err)
		}
		if stream.CachedInfo().State.Consumers == n {
			return
		}
		runtime.Gosched()
	}
}

func TestErrorsThatPass(t *testing.T) {
	api := func(status int, code jetstream.ErrorCode) error {
		return fmt.Errorf("wrapped: %w", &jetstream.APIError{Code: status, ErrorCode: code})
	}
	for name, tc := range map[string]struct {
		err                       error
		transient, full, conflict bool
	}{
		"no leader":                   {err: api(503, 10008), transient: true},
		"not the leader":              {err: api(500, 10009), transient: true},
		"offline":                     {err: api(500, 10118), transient: true},
		"the same id is on its way":   {err: api(409, 10158), transient: true},
		"another write is on its way": {err: api(400, 10164), transient: true},
		"stopping":                    {err: api(503, 10076), transient: true},
		"no answer":                   {err: nats.ErrTimeout, transient: true},
		"no acknowledgement":          {err: jetstream.ErrAsyncPublishTimeout, transient: true},
		"cut":                         {err: nats.ErrDisconnected, transient: true},
		"not connected":               {err: nats.ErrReconnectBufExceeded, transient: true},
		"the stream is at its limit":  {err: api(503, 10077), full: true},
		"the server is at its limit":  {err: api(503, 10023), full: true},
		"the account is at its limit": {err: api(400, 10002), full: true},
		"lost a compare-and-set":      {err: api(400, 10071), conflict: true},
		"no stream":                   {err: api(404, 10059)},
		"closed":                      {err: nats.ErrConnectionClosed},
		"not permitted":               {err: nats.ErrPermissionViolation},
		"the message is too large":    {err: api(400, 10054)},
	} {
		if got := ledger.Transient(tc.err); got != tc.transient {
			t.Errorf("%s: transient is %v", name, got)
		}
		if got := ledger.IsFull(tc.err); got != tc.full {
			t.Errorf("%s: full is %v", name, got)
		}
		if got := ledger.IsConflict(tc.err); got != tc.conflict {
			t.Errorf("%s: conflict is %v", name, got)
		}
	}
}
