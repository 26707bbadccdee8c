package borders_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/nats/borders"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/natsserver"
	"github.com/orderfleet/orderfleet/worker/custody"
	"github.com/rs/zerolog"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

const shards = 4

// Two tenants of one shard, and one of another.
const acme, beta, gamma = "acme", "ada", "gamma"

// fixture is a server that runs as a folder says, and everybody's credentials.
type fixture struct {
	*borders.Folder
	path   string
	certs  string
	server *natsserver.Server
	creds  map[string]natsconn.Options // by role and name
	ledger *ledger.Ledger              // as a worker sees it
	worker *nats.Conn
	away   func() // nobody takes in any more what tenants change of their keys
}

// everybody is a user of each role, and three tenants.
var everybody = []borders.User{
	{Role: borders.Worker, Name: "w"}, {Role: borders.Operator, Name: "ann"}, {Role: borders.Operator, Name: "eve"}, {Role: borders.Observer, Name: "bob"},
	{Role: borders.Gateway, Name: "gw"}, {Role: borders.Prices, Name: "feed"},
	{Role: borders.Producer, Name: acme}, {Role: borders.Producer, Name: beta}, {Role: borders.Producer, Name: gamma},
}

// modes runs a test with plain users, and with JWTs.
func modes(t *testing.T, test func(t *testing.T, f *fixture)) {
	for _, mode := range []borders.Mode{borders.Plain, borders.Signed} {
		t.Run(string(mode), func(t *testing.T) { test(t, begin(t, mode)) })
	}
}

// begin makes a configuration, starts a server as it says but for where it listens, and
// provisions a ledger as its worker.
func begin(t testing.TB, mode borders.Mode) *fixture {
	t.Helper()
	f := &fixture{path: filepath.Join(t.TempDir(), "nats"), certs: filepath.Join(t.TempDir(), "certs"), creds: map[string]natsconn.Options{}}
	if err := borders.Certs(f.certs, []string{"127.0.0.1", "localhost"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	file := func(name string) string { return filepath.Join(f.certs, name) }
	var err error
	f.Folder, err = borders.Create(f.path, mode, shards, borders.Server{
		Names: []string{"nats-0"}, StoreDir: t.TempDir(), Monitor: false, Cert: file("server.pem"), Key: file("server.key"), CA: file("ca.pem")})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range everybody {
		f.add(t, u.Role, u.Name)
	}
	f.start(t)
	f.worker = f.connect(t, "worker w")
	s := ledger.DefaultSettings()
	s.Shards = shards
	if _, err := ledger.Provision(t.Context(), f.worker, s); err != nil {
		t.Fatal(err)
	}
	if f.ledger, err = ledger.Open(t.Context(), f.worker); err != nil {
		t.Fatal(err)
	}
	f.away = f.take(t)
	return f
}

// take has a worker take in what tenants change of their keys, until it is stopped or the test ends.
func (f *fixture) take(t testing.TB) (stopped func()) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var taking sync.WaitGroup
	taking.Go(func() { custody.Run(ctx, f.ledger, f.worker, zerolog.Nop()) })
	stopped = func() { stop(); taking.Wait() }
	t.Cleanup(stopped)
	return stopped
}

// add adds users and keeps the credentials of each in a file of its own.
func (f *fixture) add(t testing.TB, role borders.Role, names ...string) {
	t.Helper()
	added, err := f.Add(role, names...)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range added {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, a.Secret, 0o600); err != nil {
			t.Fatal(err)
		}
		o := natsconn.Options{CA: filepath.Join(f.certs, "ca.pem"), NKey: path}
		if f.Mode() == borders.Signed {
			o.Creds, o.NKey = path, ""
		}
		f.creds[a.String()] = o
	}
}

func (f *fixture) start(t testing.TB) {
	t.Helper()
	t.Setenv("NATS_NAME", "nats-0")
	srv, err := natsserver.StartFile(filepath.Join(f.path, "server.conf"), func(o *server.Options) {
		o.Host, o.Port, o.JetStreamMaxStore = "127.0.0.1", server.RANDOM_PORT, 1<<30
		o.LogFile = filepath.Join(f.path, "log")
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		srv.Stop()
		if log, err := os.ReadFile(filepath.Join(f.path, "log")); err == nil && t.Failed() {
			t.Logf("%s", log)
		}
	})
	f.server = srv
}

// options are how a user connects.
func (f *fixture) options(who string) natsconn.Options {
	o := f.creds[who]
	o.URL = strings.Replace(f.server.URL(), "nats://", "tls://", 1)
	return o
}

func (f *fixture) connect(t testing.TB, who string, extra ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := natsconn.Dial(t.Context(), who, f.options(who), append([]nats.Option{nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})}, extra...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// stranger is somebody who tries what he may not, and sees what the server says of it.
type stranger struct {
	*nats.Conn
	mu   sync.Mutex
	said []string
}

func (f *fixture) stranger(t *testing.T, who string) *stranger {
	t.Helper()
	s := &stranger{}
	s.Conn = f.connect(t, who, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.said = append(s.said, err.Error())
	}))
	return s
}

// refused says that the server has told us that a subject is not for us.
func (s *stranger) refused(t *testing.T, subject string) bool {
	t.Helper()
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	var seen bool
	until(t.Context(), 2*time.Second, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, e := range s.said {
			seen = seen || strings.Contains(e, "ermissions Violation") && strings.Contains(e, fmt.Sprintf("%q", subject))
		}
		return seen
	})
	return seen
}

// logged says that the server's log tells of a violation by a subject.
func (f *fixture) logged(t *testing.T, subject string) bool {
	t.Helper()
	return until(t.Context(), 2*time.Second, func() bool {
		log, err := os.ReadFile(filepath.Join(f.path, "log"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, "Violation") && strings.Contains(line, fmt.Sprintf("%q", subject)) {
				return true
			}
		}
		return false
	})
}

// until waits until something is so, and says whether it is.
func until(ctx context.Context, patience time.Duration, so func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !so() {
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return so()
		}
	}
	return true
}

// TestClear: nobody speaks to the server without TLS, and a stranger is not let in.
func TestClear(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		clear := f.creds["producer "+acme]
		clear.URL, clear.CA = strings.Replace(f.options("producer "+acme).URL, "tls://", "nats://", 1), ""
		if nc, err := natsconn.Dial(t.Context(), "in clear", clear); err == nil {
			nc.Close()
			t.Error("the server lets a client in that does not know its certificate")
		}
		nobody := natsconn.Options{URL: f.options("producer " + acme).URL, CA: f.options("producer " + acme).CA}
		if nc, err := natsconn.Dial(t.Context(), "nobody", nobody); err == nil {
			nc.Close()
			t.Error("the server lets nobody in")
		}
		if _, ok := f.worker.TLSConnectionState(); ok != nil || f.worker.Opts.TLSConfig.MinVersion < tls.VersionTLS12 {
			t.Error("the worker's connection is not encrypted")
		}
	})
}
