package ledgertest

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// Line is a client's way to its server, which a test can cut, and on which it can let
// something be lost. Safe for concurrent use.
type Line struct {
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
	lose  []byte
	times int
}

// Lose loses so many of the next packets from the client in which something stands.
func (l *Line) Lose(times int, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose, l.times = []byte(what), times
}

// Lost says that all that was to be lost is.
func (l *Line) Lost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.times == 0
}

// lossy is a connection of a line.
type lossy struct {
	net.Conn
	line *Line
}

func (c lossy) Write(p []byte) (int, error) {
	c.line.mu.Lock()
	lost := c.line.times > 0 && bytes.Contains(p, c.line.lose)
	if lost {
		c.line.times--
	}
	c.line.mu.Unlock()
	if lost {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

var errCut = errors.New("ledgertest: the line is cut")

// Dial implements [nats.CustomDialer].
func (l *Line) Dial(network, address string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return nil, errCut
	}
	conn, err := net.Dial(network, address) //nolint:noctx // the client gives none
	if err != nil {
		return nil, err
	}
	l.conns = append(l.conns, conn)
	return lossy{conn, l}, nil
}

// Cut ends the connection and lets no other one through.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}

// Mend lets connections through again.
func (l *Line) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
}

// ConnectOver connects over a line until the test ends. The connection comes back soon
// after the line does, and keeps nothing for later while it is cut.
func ConnectOver(t testing.TB, l *Line, url string) *nats.Conn {
	t.Helper()
	return Connect(t, url, nats.SetCustomDialer(l), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(10*time.Millisecond, 10*time.Millisecond))
}
