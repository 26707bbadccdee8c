package natsserver_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/orderfleet/orderfleet/shared/natsserver"
)

// TestFreePorts: a server can be had on each, and none is handed out twice, nor while
// somebody listens there.
func TestFreePorts(t *testing.T) {
	seen := make(map[int]bool)
	for range 20 {
		ports, err := natsserver.FreePorts(3)
		if err != nil || len(ports) != 3 {
			t.Fatal(ports, err)
		}
		for _, port := range ports {
			if seen[port] {
				t.Errorf("%d twice", port)
			}
			seen[port] = true
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				t.Error(err)
				continue
			}
			defer l.Close() //nolint:errcheck // it only holds the port
		}
	}
}

// TestServerKeepsItsPort: one that comes back at a port is there.
func TestServerKeepsItsPort(t *testing.T) {
	ports, err := natsserver.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	o := natsserver.Options{Dir: t.TempDir(), Port: ports[0]}
	for range 2 {
		s, err := natsserver.Start(o)
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("nats://127.0.0.1:%d", ports[0]); s.URL() != want {
			t.Errorf("it is at %s, not at %s", s.URL(), want)
		}
		s.Stop()
	}
}
