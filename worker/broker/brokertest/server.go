package brokertest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Server speaks as much HTTP as a broker's client needs, over a real listener, and
// misbehaves on request. It answers each connection in a goroutine of its own and
// keeps all that it was asked.
type Server struct {
	URL string

	listener net.Listener
	workers  sync.WaitGroup

	mu       sync.Mutex // guards the rest
	answer   func(Request) Reply
	requests []Request
	open     map[net.Conn]struct{}
	accepted int
	arrived  chan struct{} // closed and renewed at each request
	gone     chan struct{} // closed and renewed when a connection ends
}

// Account is the only account of the Broker API that a server knows.
const Account = "0d18ae51-2f22-4bb7-a3d8-f24b4e1d1c4a"

// Request is one request as it arrived. Of one of the Broker API, for [Account], path, target
// and query are what the Trading API's would be, so that both are judged alike.
type Request struct {
	Conn   int // 1 for the first connection
	Method string
	Path   string // decoded
	Target string // with the query
	Sent   string // the target as it was sent
	Query  url.Values
	Header http.Header
	Body   []byte
}

// Reply is what the server does about a request.
type Reply struct {
	Status int
	Header http.Header // Content-Length is added if no header frames the body
	Body   string
	// Raw replaces status, header and body: exactly these bytes are written.
	Raw []byte
	// Then says what becomes of the connection.
	Then Then
}

// Then is the fate of a connection after a reply.
type Then int

// The fates.
const (
	Keep  Then = iota // wait for the next request
	Close             // close it, without saying so in the answer
	Reset             // break it (RST)
	Hang              // say no more until the client goes away
)

// NewServer starts a server that ends with the test.
func NewServer(t testing.TB) *Server { return newServer(t, nil) }

// NewTLSServer is NewServer over TLS.
func NewTLSServer(t testing.TB, cfg *tls.Config) *Server { return newServer(t, cfg) }

func newServer(t testing.TB, cfg *tls.Config) *Server {
	t.Helper()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		URL:      "http://" + listener.Addr().String(),
		listener: listener,
		answer:   Booked,
		open:     make(map[net.Conn]struct{}),
		arrived:  make(chan struct{}),
		gone:     make(chan struct{}),
	}
	if cfg != nil {
		s.URL = "https://" + listener.Addr().String()
	}
	s.workers.Go(func() { s.accept(cfg) })
	t.Cleanup(s.Stop)
	return s
}

// Stop closes the listener and every connection, and waits until all is over.
func (s *Server) Stop() {
	_ = s.listener.Close()
	s.CloseIdle()
	s.workers.Wait()
}

// CloseIdle closes all connections from the server's side.
func (s *Server) CloseIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		_ = conn.Close()
	}
}

// Answer sets what the server does about requests from now on. It runs on the
// connections' goroutines.
func (s *Server) Answer(answer func(Request) Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// Reply sets one reply to every request.
func (s *Server) Reply(r Reply) { s.Answer(func(Request) Reply { return r }) }

// Requests returns what has arrived so far, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Last returns the latest request, and fails the test without one.
func (s *Server) Last(t testing.TB) Request {
	t.Helper()
	all := s.Requests()
	if len(all) == 0 {
		t.Fatal("no request arrived")
	}
	return all[len(all)-1]
}

// Forget drops what has arrived so far.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// Accepted is the number of connections so far.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// WaitRequests returns once n requests have arrived.
func (s *Server) WaitRequests(n int) {
	for {
		s.mu.Lock()
		done, arrived := len(s.requests) >= n, s.arrived
		s.mu.Unlock()
		if done {
			return
		}
		<-arrived
	}
}

// WaitNoConns returns once no connection is open.
func (s *Server) WaitNoConns() {
	for {
		s.mu.Lock()
		done, gone := len(s.open) == 0, s.gone
		s.mu.Unlock()
		if done {
			return
		}
		<-gone
	}
}

func (s *Server) accept(cfg *tls.Config) {
	for {
		tcp, err := s.listener.Accept()
		if err != nil {
			return
		}
		conn := tcp
		if cfg != nil {
			conn = tls.Server(tcp, cfg)
		}
		s.mu.Lock()
		s.accepted++
		number := s.accepted
		s.open[conn] = struct{}{}
		s.mu.Unlock()
		s.workers.Go(func() {
			s.serve(number, conn, tcp.(*net.TCPConn))
			_ = conn.Close()
			s.mu.Lock()
			delete(s.open, conn)
			close(s.gone)
			s.gone = make(chan struct{})
			s.mu.Unlock()
		})
	}
}

// serve answers one connection until it ends.
func (s *Server) serve(number int, conn net.Conn, tcp *net.TCPConn) {
	in := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		sent := req.RequestURI
		asTrading(req.URL)
		reply := s.take(Request{
			Conn: number, Method: req.Method, Path: req.URL.Path, Target: req.URL.RequestURI(), Sent: sent,
			Query: req.URL.Query(), Header: req.Header, Body: body,
		})
		if _, err := conn.Write(reply.Bytes()); err != nil {
			return
		}
		switch reply.Then {
		case Keep:
		case Close:
			return
		case Reset:
			_ = tcp.SetLinger(0)
			_ = tcp.Close()
			return
		case Hang:
			_, _ = io.Copy(io.Discard, in)
			return
		}
	}
}

// asTrading turns an address of the Broker API into that of the Trading API.
func asTrading(u *url.URL) {
	if rest, ok := strings.CutPrefix(u.Path, "/v1/trading/accounts/"+Account+"/"); ok {
		u.Path = "/v2/" + rest
	}
	query := u.Query()
	if kind, ok := strings.CutPrefix(u.Path, "/v1/accounts/activities/"); ok && query.Get("account_id") == Account {
		u.Path = "/v2/account/activities/" + kind
		query.Del("account_id")
		u.RawQuery = query.Encode()
	}
}

// take records a request and finds its reply.
func (s *Server) take(r Request) Reply {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	answer := s.answer
	close(s.arrived)
	s.arrived = make(chan struct{})
	s.mu.Unlock()
	return answer(r)
}

// Bytes is what the reply writes at once.
func (r Reply) Bytes() []byte {
	if r.Raw != nil || r.Status == 0 {
		return r.Raw
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.Status, http.StatusText(r.Status))
	h := maps.Clone(r.Header)
	if h == nil {
		h = make(http.Header)
	}
	if h.Get("Content-Length") == "" && h.Get("Transfer-Encoding") == "" && r.Status != http.StatusNoContent {
		h.Set("Content-Length", fmt.Sprint(len(r.Body)))
	}
	_ = h.Write(&b)
	b.WriteString("\r\n" + r.Body)
	return b.Bytes()
}
