package test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// slowLine is a TCP proxy that keeps everything for a while, in both directions.
type slowLine struct {
	*testing.T
	proxy *toxiproxy.Proxy
}

func newSlowLine(t *testing.T, to string) *slowLine {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", to)
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	return &slowLine{t, proxy}
}

// delay keeps each piece for half of most to all of it. What was kept before goes on.
func (s *slowLine) delay(most time.Duration) {
	s.Helper()
	s.proxy.Toxics.ResetToxics(context.Background())
	if most == 0 {
		return
	}
	for _, stream := range []string{"upstream", "downstream"} {
		toxic := fmt.Sprintf(`{"name":%q,"type":"latency","stream":%q,"attributes":{"latency":%d,"jitter":%d}}`,
			stream, stream, most.Milliseconds()*3/4, most.Milliseconds()/4)
		if _, err := s.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			s.Fatal(err)
		}
	}
}

// TestSlowServer: everything to and from the server takes long; then so long that leases
// run out and answers come when nobody waits for them any more; then it is well again.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	line := newSlowLine(t, server.running.URL()[len("nats://"):])
	s := troubled(t, "nats://"+line.proxy.Listen)
	s.work()
	l := s.load(8)
	for _, delay := range []time.Duration{0, 100 * time.Millisecond, 1500 * time.Millisecond, 50 * time.Millisecond} {
		line.delay(delay)
		if delay > time.Second {
			pause(t, 4*time.Second) // nobody acknowledges a heartbeat in time
			continue
		}
		l.acknowledged(100)
	}
	line.delay(0)
	l.acknowledged(100)
	receipts, refused := l.stop()
	if len(refused) > 0 {
		t.Errorf("%d refused, the first with %v", len(refused), refused[0])
	}
	s.settle(receipts)
}
