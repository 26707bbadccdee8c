package alpaca_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/broker/brokertest"
)

func withTimeouts(t alpaca.Timeouts) func(*alpaca.Config) {
	return func(cfg *alpaca.Config) { cfg.Timeouts = t }
}

// A kept connection that died is replaced before a byte is risked on it.
func TestConnDeadWhileIdle(t *testing.T) {
	s := brokertest.NewServer(t)
	c := connect(t, s.URL)
	for i := range 20 {
		want(t, c.Place(t.Context(), id, market(), never), broker.Accepted)
		if n := s.Accepted(); n != i+1 {
			t.Fatalf("connection %d, want %d", n, i+1)
		}
		s.CloseIdle()
		s.WaitNoConns()
	}
	if got := c.Stats(); got.Requests != 20 || got.Dials != 20 {
		t.Errorf("stats %+v", got)
	}
}

// A server that speaks unasked (a 408 before it hangs up) is not believed.
func TestConnAnswersBeforeTheQuestion(t *testing.T) {
	s := brokertest.NewServer(t)
	c := connect(t, s.URL)
	stray := string(brokertest.Reply{Status: 204}.Bytes())
	s.Answer(func(r brokertest.Request) brokertest.Reply {
		return brokertest.Reply{Raw: []byte(string(brokertest.Booked(r).Bytes()) + stray)}
	})
	for i := range 3 {
		want(t, c.Place(t.Context(), id, market(), never), broker.Accepted)
		// The stray 204 would make this cancel look accepted.
		s.Answer(func(r brokertest.Request) brokertest.Reply {
			if r.Method == http.MethodDelete {
				return brokertest.Error(422, 42210000, "too late")
			}
			return brokertest.Reply{Raw: []byte(string(brokertest.Booked(r).Bytes()) + stray)}
		})
		want(t, c.Cancel(t.Context(), "x", never), broker.Rejected)
		if n := s.Accepted(); n != i+2 {
			t.Fatalf("%d connections after %d stray answers", n, i+1)
		}
	}
}

func TestConnBoundsTheAnswer(t *testing.T) {
	// But for their size these would do.
	endless := strings.Repeat("x", 2<<20)
	good := brokertest.Show([]byte(`{"client_order_id":"` + id + `","symbol":"AAPL"}`))
	length := fmt.Sprintf("Content-Length: %d\r\n\r\n", len(good))
	for name, raw := range map[string]string{
		"header":           "HTTP/1.1 200 OK\r\nX: " + endless + "\r\n" + length + good,
		"headers":          "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 20_000) + length + good,
		"status line":      "HTTP/1.1 200 " + endless + "\r\n" + length + good,
		"1xx for ever":     strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 20_000) + "HTTP/1.1 200 OK\r\n" + length + good,
		"spaces":           "HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n" + good + strings.Repeat(" ", 2<<20-len(good)),
		"body, announced":  "HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n" + endless,
		"body, absurd":     "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n",
		"body, in chunks":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n" + endless + "\r\n0\r\n\r\n",
		"body, to the end": "HTTP/1.1 422 No\r\n\r\n" + endless,
	} {
		t.Run(name, func(t *testing.T) {
			s := brokertest.NewServer(t)
			c := connect(t, s.URL)
			s.Reply(brokertest.Reply{Raw: []byte(raw), Then: brokertest.Close})
			want(t, c.Place(t.Context(), id, market(), never), broker.Unknown)
			s.Answer(brokertest.Booked)
			want(t, c.Place(t.Context(), id, market(), never), broker.Accepted)
			if n := s.Accepted(); n != 2 {
				t.Errorf("%d connections: the first was good no more", n)
			}
		})
	}
}

func TestConnTimeouts(t *testing.T) {
	const soon = 100 * time.Millisecond
	part := brokertest.Reply{Raw: []byte("HTTP/1.1 200 OK\r\n"), Then: brokertest.Hang}
	for name, test := range map[string]struct {
		timeouts alpaca.Timeouts
		reply    brokertest.Reply
	}{
		"first byte": {alpaca.Timeouts{FirstByte: soon, Call: time.Hour}, brokertest.Reply{Then: brokertest.Hang}},
		"call":       {alpaca.Timeouts{Call: soon, FirstByte: time.Hour}, brokertest.Reply{Then: brokertest.Hang}},
		"slow body":  {alpaca.Timeouts{Call: soon, FirstByte: time.Hour}, part},
	} {
		t.Run(name, func(t *testing.T) {
			s := brokertest.NewServer(t)
			c := connect(t, s.URL, withTimeouts(test.timeouts))
			s.Reply(test.reply)
			v := c.Place(t.Context(), id, market(), never)
			want(t, v, broker.Unknown)
			if !strings.Contains(v.Message, "timeout") {
				t.Errorf("message %q", v.Message)
			}
			s.WaitNoConns() // the client has hung up
		})
	}
	t.Run("TLS", func(t *testing.T) {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = silent.Close() }()
		c := connect(t, "https://"+silent.Addr().String(), withTimeouts(alpaca.Timeouts{TLS: soon, Call: time.Hour}))
		v := c.Place(t.Context(), id, market(), never)
		want(t, v, broker.Unsent)
		if !strings.Contains(v.Message, "TLS handshake") {
			t.Errorf("message %q", v.Message)
		}
	})
	t.Run("dial", func(t *testing.T) {
		s := brokertest.NewServer(t)
		c := connect(t, s.URL, withTimeouts(alpaca.Timeouts{Dial: 1}))
		want(t, c.Place(t.Context(), id, market(), never), broker.Unsent)
		if n := len(s.Requests()); n != 0 {
			t.Errorf("%d requests arrived", n)
		}
	})
}

func TestConnCancelledInEveryState(t *testing.T) {
	s := brokertest.NewServer(t)
	c := connect(t, s.URL)
	for i := range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range i % 50 {
				runtime.Gosched()
			}
			cancel()
		}()
		switch v := c.Place(ctx, id, market(), never); v.Kind {
		case broker.Accepted, broker.Unknown, broker.Unsent:
		default:
			t.Errorf("verdict %+v", v)
		}
		<-done
		want(t, c.ByClientID(t.Context(), id), broker.Found)
	}
}

// Either sign of a short position makes it one.
func TestPositionSign(t *testing.T) {
	s := brokertest.NewServer(t)
	c := connect(t, s.URL)
	for _, test := range []struct{ qty, available, side, want, free string }{
		{"5", "3", "long", "5", "3"},
		{"-5", "-3", "short", "-5", "-3"},
		{"5", "3", "short", "-5", "-3"},
		{"-5", "3", "", "-5", "-3"},
	} {
		s.Reply(brokertest.JSON(200, brokertest.Position("BTCUSD", test.qty, test.available, test.side)))
		v := c.Position(t.Context(), "BTC/USD")
		want(t, v, broker.Found)
		if v.Position == nil || v.Position.Qty.String() != test.want || v.Position.Available.String() != test.free {
			t.Errorf("%+v: position %+v", test, v.Position)
		}
		if got := s.Last(t).Path; got != "/v2/positions/BTCUSD" {
			t.Errorf("path %s", got)
		}
	}
}

// secure makes a TLS server and the client configuration that trusts it.
func secure(t *testing.T) (*brokertest.Server, *tls.Config) {
	t.Helper()
	lender := httptest.NewTLSServer(nil) // of a certificate for 127.0.0.1
	lender.Close()
	roots := x509.NewCertPool()
	roots.AddCert(lender.Certificate())
	s := brokertest.NewTLSServer(t, &tls.Config{Certificates: lender.TLS.Certificates})
	return s, &tls.Config{RootCAs: roots}
}

func TestConnTLS(t *testing.T) {
	s, trust := secure(t)
	withTLS := func(cfg *alpaca.Config) { cfg.TLS = trust }
	t.Run("is kept", func(t *testing.T) {
		c := connect(t, s.URL, withTLS)
		for range 10 {
			want(t, c.Place(t.Context(), id, market(), never), broker.Accepted)
		}
		if got := c.Stats(); got.Dials != 1 {
			t.Errorf("%d dials", got.Dials)
		}
	})
	t.Run("dead while idle", func(t *testing.T) {
		c := connect(t, s.URL, withTLS)
		for range 5 {
			want(t, c.Place(t.Context(), id, market(), never), broker.Accepted)
			s.CloseIdle()
			s.WaitNoConns()
		}
	})
	t.Run("contract of a fault", func(t *testing.T) {
		c := connect(t, s.URL, withTLS)
		s.Reply(brokertest.Reply{Then: brokertest.Reset})
		want(t, c.Place(t.Context(), id, market(), never), broker.Unknown)
		s.Answer(brokertest.Booked)
		want(t, c.Place(t.Context(), id, market(), never), broker.Accepted)
	})
	t.Run("unknown authority", func(t *testing.T) {
		s.Forget()
		c := connect(t, s.URL) // the system's roots
		want(t, c.Place(t.Context(), id, market(), never), broker.Unsent)
		if n := len(s.Requests()); n != 0 {
			t.Errorf("%d requests arrived", n)
		}
	})
	t.Run("another host's certificate", func(t *testing.T) {
		c := connect(t, s.URL, func(cfg *alpaca.Config) {
			cfg.TLS = trust.Clone()
			cfg.TLS.ServerName = "paper-api.alpaca.markets"
		})
		want(t, c.Place(t.Context(), id, market(), never), broker.Unsent)
	})
	t.Run("plain server", func(t *testing.T) {
		plain := brokertest.NewServer(t)
		c := connect(t, strings.Replace(plain.URL, "http", "https", 1), withTLS)
		want(t, c.Place(t.Context(), id, market(), never), broker.Unsent)
	})
	t.Run("expires during the handshake", func(t *testing.T) {
		s.Forget()
		notAfter := time.Now().Add(10 * time.Millisecond)
		c := connect(t, s.URL, func(cfg *alpaca.Config) {
			cfg.TLS = trust.Clone()
			cfg.TLS.VerifyConnection = func(tls.ConnectionState) error {
				<-time.After(time.Until(notAfter) + time.Millisecond)
				return nil
			}
		})
		want(t, c.Place(t.Context(), id, market(), notAfter), broker.Expired)
		if n := len(s.Requests()); n != 0 {
			t.Errorf("%d requests arrived", n)
		}
		// The connection is good: the next order goes over it.
		want(t, c.Place(t.Context(), id, market(), never), broker.Accepted)
		if got := c.Stats(); got.Dials != 1 {
			t.Errorf("%d dials", got.Dials)
		}
	})
}

// The same for an injected transport, which dials behind our back.
func TestInjectedExpiresWhileDialling(t *testing.T) {
	s := brokertest.NewServer(t)
	notAfter := time.Now().Add(10 * time.Millisecond)
	rt := alpaca.SharedTransport(patient, nil, 1)
	defer rt.CloseIdleConnections()
	dial := rt.DialContext
	rt.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		<-time.After(time.Until(notAfter) + time.Millisecond)
		return dial(ctx, network, addr)
	}
	c := connect(t, s.URL, func(cfg *alpaca.Config) { cfg.Transport = rt })
	want(t, c.Place(t.Context(), id, market(), notAfter), broker.Expired)
	if n := len(s.Requests()); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

// Who waits for the lock has sent nothing.
func TestLockedWaits(t *testing.T) {
	s := brokertest.NewServer(t)
	shared := alpaca.SharedTransport(patient, nil, 1)
	defer shared.CloseIdleConnections()
	rt := alpaca.LockedTransport(shared)
	inject := func(cfg *alpaca.Config) { cfg.Transport = rt }
	first, second := connect(t, s.URL, inject), connect(t, s.URL, inject)
	s.Reply(brokertest.Reply{Then: brokertest.Hang})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan broker.Verdict)
	go func() { done <- first.Place(ctx, id, market(), never) }()
	s.WaitRequests(1)
	soon, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	want(t, second.Place(soon, id, market(), never), broker.Unsent)
	cancel()
	want(t, <-done, broker.Unknown)
	s.Answer(brokertest.Booked)
	want(t, second.Place(t.Context(), id, market(), never), broker.Accepted)
}

// TestConnMemory bounds what an active client costs, its server's side included.
func TestConnMemory(t *testing.T) {
	const clients, limit = 500, 50 << 10
	answer := brokertest.Booked(brokertest.Request{Method: "POST", Body: []byte(`{"client_order_id":"` + id + `"}`)}).Bytes()
	url := minimalServer(t, answer)
	before := inUse()
	all := make([]*alpaca.Client, clients)
	for i := range all {
		all[i] = connect(t, url)
		want(t, all[i].Place(t.Context(), id, market(), never), broker.Accepted)
	}
	each := (inUse() - before) / clients
	t.Logf("%d bytes a client", each)
	if each > limit {
		t.Errorf("%d bytes a client, want at most %d", each, limit)
	}
	for _, c := range all {
		c.Hangup()
	}
	runtime.KeepAlive(all)
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func ExampleNew() {
	_, err := alpaca.New(alpaca.Config{Tenant: "acme", BaseURL: "https://paper-api.alpaca.markets"})
	fmt.Println(errors.Is(err, tenant.ErrNoCredentials))
	// Output: true
}
