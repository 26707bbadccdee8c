package natsconn

import (
	"context"
	"net"
	"sync"
)

// dialer opens connections for the NATS client, which knows no context: the end of first
// ends the dial, or the handshake, that the first connection waits for. Later ones, of
// reconnects, are the client's own business. The client calls it from goroutines of its
// own.
type dialer struct {
	mu    sync.Mutex
	first context.Context // nil after done
	stop  []func() bool
}

// Dial implements [nats.CustomDialer].
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	d.mu.Lock()
	ctx := d.first
	d.mu.Unlock()
	dial := net.Dialer{Timeout: connectTimeout}
	if ctx == nil {
		return dial.DialContext(context.Background(), network, address)
	}
	conn, err := dial.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	// Not by a deadline: the client sets its own.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stop = append(d.stop, stop)
	return conn, nil
}

// done frees what was dialled from the first context.
func (d *dialer) done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, stop := range d.stop {
		stop()
	}
	d.first, d.stop = nil, nil
}
