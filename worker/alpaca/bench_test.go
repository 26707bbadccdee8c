package alpaca_test

import (
	"bytes"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/broker/brokertest"
)

// minimalServer gives every request the same answer and costs next to nothing. It
// expects each request to come in one piece or two: header, then body.
func minimalServer(t testing.TB, answer []byte) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer func() { _ = conn.Close() }()
				buf := make([]byte, 4096)
				for n := 0; ; {
					m, err := conn.Read(buf[n:])
					if err != nil {
						return
					}
					if n += m; whole(buf[:n]) {
						n = 0
						if _, err := conn.Write(answer); err != nil {
							return
						}
					}
				}
			})
		}
	})
	// Registered before the clients' own cleanups, so it runs after them.
	t.Cleanup(func() {
		_ = listener.Close()
		conns.Wait()
	})
	return "http://" + listener.Addr().String()
}

func whole(request []byte) bool {
	header, body, ok := bytes.Cut(request, []byte("\r\n\r\n"))
	if !ok {
		return false
	}
	_, length, _ := bytes.Cut(header, []byte("Content-Length: "))
	length, _, _ = bytes.Cut(length, []byte("\r\n"))
	n, _ := strconv.Atoi(string(length))
	return len(body) >= n
}

// BenchmarkPlace compares the ways to hold a connection, by one goroutine and by
// 64: own is this package's, transport an http.Transport for each client, shared
// one for all, locked one for all behind a mutex. us/op times cores is CPU a call,
// the server's part included.
func BenchmarkPlace(b *testing.B) {
	answer := brokertest.Booked(brokertest.Request{Method: http.MethodPost, Body: []byte(
		`{"client_order_id":"` + id + `","symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day"}`)}).Bytes()
	single := func() *http.Transport { return alpaca.SharedTransport(alpaca.Timeouts{}, nil, 256) }
	ways := []struct {
		name string
		make func(b *testing.B) func(*alpaca.Config)
	}{
		{"own", func(*testing.B) func(*alpaca.Config) { return func(*alpaca.Config) {} }},
		{"transport", func(b *testing.B) func(*alpaca.Config) {
			return func(cfg *alpaca.Config) {
				rt := single()
				b.Cleanup(rt.CloseIdleConnections)
				cfg.Transport = rt
			}
		}},
		{"shared", func(b *testing.B) func(*alpaca.Config) {
			rt := single()
			b.Cleanup(rt.CloseIdleConnections)
			return func(cfg *alpaca.Config) { cfg.Transport = rt }
		}},
		{"locked", func(b *testing.B) func(*alpaca.Config) {
			rt := single()
			b.Cleanup(rt.CloseIdleConnections)
			lock := alpaca.LockedTransport(rt)
			return func(cfg *alpaca.Config) { cfg.Transport = lock }
		}},
	}
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			for _, clients := range []int{1, 64} {
				b.Run(strconv.Itoa(clients), func(b *testing.B) {
					url := minimalServer(b, answer)
					change := way.make(b)
					all := make([]*alpaca.Client, clients)
					for i := range all {
						all[i] = connect(b, url, change)
						all[i].Place(b.Context(), id, market(), never)
					}
					b.ReportAllocs()
					b.ResetTimer()
					placeAll(b, all)
				})
			}
		})
	}
}

// placeAll places b.N orders over all clients at once.
func placeAll(b *testing.B, clients []*alpaca.Client) {
	var wg sync.WaitGroup
	for i, c := range clients {
		n := b.N / len(clients)
		if i < b.N%len(clients) {
			n++
		}
		wg.Go(func() {
			o := market()
			for range n {
				if v := c.Place(b.Context(), id, o, never); v.Kind != broker.Accepted {
					b.Errorf("verdict %+v", v)
					return
				}
			}
		})
	}
	wg.Wait()
}
