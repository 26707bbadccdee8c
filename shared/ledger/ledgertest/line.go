package ledgertest

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// Line is a client's way to its server, which a test can cut. Safe for concurrent use.
type Line struct {
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
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
	if err == nil {
		l.conns = append(l.conns, conn)
	}
	return conn, err
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
