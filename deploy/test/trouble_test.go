package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/natsserver"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
)

// What a worker and a producer of this process go through here is trouble with NATS; the
// broker is well, and believes every client order id: a second attempt would be a second
// order.

// site is a system on a NATS server, or several, that the test troubles.
type site struct {
	*system
	servers string // addresses
	log     *lines // of the workers
	loads   int    // so far; no two use the same ids
}

const troubledShards = 2

// troubled makes a ledger on servers, and a system on it. Everybody connects as the
// programs do.
func troubled(t *testing.T, servers string, change ...func(*ledger.Settings)) *site {
	t.Helper()
	nc := dial(t, servers, func(*nats.Conn, *nats.Subscription, error) {})
	provision(t, nc, change...)
	return &site{assemble(t, nc, paper.Config{NoDuplicateCheck: true}), servers, &lines{}, 0}
}

// provision makes a ledger.
func provision(t testing.TB, nc *nats.Conn, change ...func(*ledger.Settings)) {
	t.Helper()
	settings := ledger.DefaultSettings()
	settings.Shards = troubledShards
	for _, c := range change {
		c(&settings)
	}
	patience, enough := context.WithTimeout(t.Context(), time.Minute)
	defer enough()
	for { // a cluster elects its leaders in its own time
		ctx, cancel := context.WithTimeout(patience, 2*time.Second)
		_, err := ledger.Provision(ctx, nc, settings)
		cancel()
		if err == nil {
			break
		}
		if !ledger.Transient(err) || patience.Err() != nil {
			t.Fatal(err)
		}
	}
}

func dial(t testing.TB, servers string, trouble nats.ErrHandler) *nats.Conn {
	t.Helper()
	nc, err := natsconn.Dial(t.Context(), "a test", natsconn.Options{URL: servers}, nats.ErrorHandler(trouble))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// work runs a worker, on a connection of its own, until the test ends, and waits until it
// serves every shard.
func (s *site) work() *nats.Conn {
	s.Helper()
	nc, serving, ended := s.begin()
	for range troubledShards {
		select {
		case <-serving:
		case err := <-ended:
			ended <- err
			s.Fatal(err)
		case <-s.Context().Done():
			s.Fatal("the worker does not start")
		}
	}
	return nc
}

// begin starts a worker. It is drained when the test ends, and must not have ended before.
func (s *site) begin() (nc *nats.Conn, serving <-chan int, ended chan error) {
	s.Helper()
	log := zerolog.New(s.log).Level(zerolog.WarnLevel)
	nc = dial(s, s.servers, func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Warn().Err(err).Msg("NATS") })
	shards, drain := make(chan int, troubledShards), make(chan struct{})
	ended = make(chan error, 1)
	go func() {
		ended <- worker.Run(context.Background(), drain, nc, worker.Config{
			Connect: func(_ context.Context, name string) (broker.Line, error) {
				client, err := alpaca.New(alpaca.Config{Tenant: name, BaseURL: s.url, Credentials: tenant.Credentials{KeyID: name, Secret: "parts"}, Logger: zerolog.Nop()})
				return broker.Line{Client: client, Address: s.url}, err
			},
			Settle: time.Second,
			Serving: func(shard int) { // again after each trouble
				select {
				case shards <- shard:
				default:
				}
			},
			Log: log,
		})
	}()
	s.Cleanup(func() {
		close(drain)
		if err := <-ended; err != nil {
			s.Errorf("the worker ended with %v", err)
		}
		if s.Failed() {
			s.Log(s.log.String())
		}
	})
	return nc, shards, ended
}

// lines is a log that is read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// load is producers at work: each tenant publishes fifty intents a second, and
// each again under its id until its fate is known.
type load struct {
	site     *site
	ids      string // format of intents' ids
	cancel   context.CancelFunc
	running  sync.WaitGroup
	mu       sync.Mutex
	receipts []producer.Receipt
	refused  []error
}

func (s *site) load(tenants int) *load {
	ctx, cancel := context.WithCancel(s.Context())
	s.loads++
	l := &load{site: s, ids: fmt.Sprintf("%d-", s.loads) + "%05d", cancel: cancel}
	for t := range tenants {
		l.running.Go(func() { l.publish(ctx, fmt.Sprintf("t%02d", t)) })
	}
	return l
}

func (l *load) publish(ctx context.Context, tenant string) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		for known := false; !known; {
			r, err := l.site.producer.Publish(l.site.Context(), tenant, rest(fmt.Sprintf(l.ids, n)))
			l.mu.Lock()
			switch {
			case err == nil:
				l.receipts, known = append(l.receipts, r), true
			case !errors.Is(err, producer.ErrUnknown) && !errors.Is(err, producer.ErrUnsent):
				l.refused, known = append(l.refused, err), true
			}
			l.mu.Unlock()
			if l.site.Context().Err() != nil {
				return
			}
		}
	}
}

// stop ends the load and returns what was acknowledged and what was refused.
func (l *load) stop() ([]producer.Receipt, []error) {
	l.cancel()
	l.running.Wait()
	return l.receipts, l.refused
}

// acknowledged waits until so many more publishes are acknowledged.
func (l *load) acknowledged(more int) {
	l.site.Helper()
	enough := l.count() + more
	l.site.gradually("publishes are acknowledged", func() (int, bool) { n := l.count(); return n, n >= enough })
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.receipts)
}

// until waits for something to come true, a minute at most.
func (s *site) until(what string, true func() bool) {
	s.Helper()
	s.gradually(what, func() (int, bool) { return 0, true() })
}

// gradually is until for what comes bit by bit: however slow the machine is, it waits
// while there is progress, until none is made for a minute.
func (s *site) gradually(what string, look func() (progress int, done bool)) {
	s.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	last, since := 0, time.Now()
	for {
		n, done := look()
		switch {
		case done:
			return
		case n != last:
			last, since = n, time.Now()
		case time.Since(since) > time.Minute:
			s.Fatalf("waited in vain until %s (%d so far)\n%s", what, n, s.log)
		}
		select {
		case <-ticker.C:
		case <-s.Context().Done():
			s.Fatalf("the test ended before %s", what)
		}
	}
}

// rest is an order that rests at the broker.
func rest(id string) order.Intent {
	qty, price := decimal.RequireFromString("1"), decimal.RequireFromString("1.25")
	return order.Intent{ID: id, Kind: order.KindOrder, ExpiresAt: time.Now().Add(time.Hour), Order: &order.Order{
		Symbol: "AAPL", Qty: &qty, Side: order.Buy, Type: order.Limit, TimeInForce: order.Day, LimitPrice: &price,
	}}
}

// settle waits until every intent has an outcome, and compares the ledgers: each
// acknowledged intent is there, each is accepted, and each has one order.
func (s *site) settle(acknowledged []producer.Receipt) {
	s.Helper()
	var h proof.History
	s.gradually("every intent has its outcome", func() (int, bool) {
		var err error
		if h, err = proof.Read(s.Context(), s.producer.Ledger()); err != nil && !ledger.Transient(err) {
			s.Fatal(err)
		}
		return len(h.Outcomes), err == nil && len(h.Outcomes) >= len(h.Intents)
	})
	type place struct {
		tenant string
		seq    uint64
	}
	there := make(map[place]bool)
	for _, in := range h.Intents {
		there[place{in.Tenant, in.Seq}] = true
	}
	for _, r := range acknowledged {
		if !there[place{r.Tenant, r.Seq}] {
			s.Errorf("intent %s of %s was acknowledged as %d, and is not on the ledger", r.ID, r.Tenant, r.Seq)
		}
	}
	if len(acknowledged) == 0 || len(h.Intents) > len(acknowledged) {
		s.Errorf("%d intents on the ledger, %d acknowledged", len(h.Intents), len(acknowledged))
	}
	s.judge(len(h.Intents))
}

// server is one NATS server that can go and come back.
type server struct {
	*testing.T
	options natsserver.Options
	running *natsserver.Server
}

func newServer(t *testing.T) *server {
	s := &server{T: t, options: natsserver.Options{Dir: t.TempDir(), Shards: troubledShards}}
	s.begin()
	return s
}

// begin starts the server for the first time, on the port that it keeps.
func (s *server) begin() {
	s.Helper()
	s.start()
	u, err := url.Parse(s.running.URL())
	if err != nil {
		s.Fatal(err)
	}
	if s.options.Port, err = strconv.Atoi(u.Port()); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { s.running.Stop() })
}

func (s *server) start() {
	s.Helper()
	var err error
	if s.running, err = natsserver.Start(s.options); err != nil {
		s.Fatal(err)
	}
}

// TestServerRestarts: the server goes and comes back under load, twice, and then stays away
// for longer than any lease and any time-out of a request.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	s := troubled(t, server.running.URL())
	s.work()
	l := s.load(8)
	for _, away := range []time.Duration{0, 0, 6 * time.Second} {
		l.acknowledged(200)
		server.running.Stop()
		pause(t, away)
		server.start()
	}
	l.acknowledged(200)
	receipts, refused := l.stop()
	if len(refused) > 0 {
		t.Errorf("%d refused, the first with %v", len(refused), refused[0])
	}
	s.settle(receipts)
	if slices.ContainsFunc(receipts, func(r producer.Receipt) bool { return r.Duplicate }) {
		t.Log("some publishes were acknowledged to their second try")
	}
}

// pause lets a fault last.
func pause(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}
