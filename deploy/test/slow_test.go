package test

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// slowLine is a TCP proxy that keeps everything for a while, in both directions.
type slowLine struct {
	listener net.Listener
	delay    atomic.Int64 // the most, in nanoseconds; each piece is kept for half of it to all
	running  sync.WaitGroup
}

func newSlowLine(t *testing.T, to string) *slowLine {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &slowLine{listener: l}
	ctx, cancel := context.WithCancel(context.Background())
	s.running.Go(func() { s.serve(ctx, to) })
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		s.running.Wait()
	})
	return s
}

func (s *slowLine) serve(ctx context.Context, to string) {
	for {
		near, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		far, err := new(net.Dialer).DialContext(ctx, "tcp", to)
		if err != nil {
			_ = near.Close()
			continue
		}
		stop := context.AfterFunc(ctx, func() { _, _ = near.Close(), far.Close() })
		s.running.Go(func() { s.carry(near, far) })
		s.running.Go(func() { s.carry(far, near); stop() })
	}
}

// piece is what was read at once, and when it may go on.
type piece struct {
	data []byte
	due  time.Time
}

// carry copies one direction until it ends, then ends the other.
func (s *slowLine) carry(from, to net.Conn) {
	pieces := make(chan piece, 1<<12)
	s.running.Go(func() {
		defer to.Close() //nolint:errcheck // it is over
		for p := range pieces {
			if wait := time.Until(p.due); wait > 0 {
				<-time.After(wait)
			}
			if _, err := to.Write(p.data); err != nil {
				_ = from.Close()
				break
			}
		}
		for range pieces { // until the reader has seen it
		}
	})
	defer close(pieces)
	for {
		data := make([]byte, 32<<10)
		n, err := from.Read(data)
		if n > 0 {
			most := s.delay.Load()
			pieces <- piece{data[:n], time.Now().Add(time.Duration(most/2 + rand.Int64N(most/2+1)))}
		}
		if err != nil {
			return
		}
	}
}

// TestSlowServer: everything to and from the server takes long; then so long that leases
// run out and answers come when nobody waits for them any more; then it is well again.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	line := newSlowLine(t, server.running.URL()[len("nats://"):])
	s := troubled(t, "nats://"+line.listener.Addr().String())
	s.work()
	l := s.load(8)
	for _, delay := range []time.Duration{0, 100 * time.Millisecond, 1500 * time.Millisecond, 50 * time.Millisecond} {
		line.delay.Store(int64(delay))
		if delay > time.Second {
			pause(t, 4*time.Second) // nobody acknowledges a heartbeat in time
			continue
		}
		l.acknowledged(100)
	}
	line.delay.Store(0)
	l.acknowledged(100)
	receipts, refused := l.stop()
	if len(refused) > 0 {
		t.Errorf("%d refused, the first with %v", len(refused), refused[0])
	}
	s.settle(receipts)
}
