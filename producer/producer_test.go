package producer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/natsserver"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

const shards = 4

func start(t testing.TB, change ...func(*ledger.Settings)) (*producer.Producer, *nats.Conn) {
	t.Helper()
	nc := ledgertest.Provision(t, shards, change...)
	p, err := producer.New(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	return p, nc
}

func buy(id string) order.Intent {
	qty := decimal.RequireFromString("1")
	return order.Intent{ID: id, Kind: order.KindOrder, Order: &order.Order{
		Symbol: "AAPL", Qty: &qty, Side: order.Buy, Type: order.Market, TimeInForce: order.Day,
	}}
}

// finish writes the outcome of an intent, in the place of a worker.
func finish(t testing.TB, p *producer.Producer, r producer.Receipt, after uint64) uint64 {
	t.Helper()
	f, err := p.Ledger().Append(r.Shard, r.Tenant, &order.Outcome{IntentID: r.ID, IntentSeq: r.Seq, Status: order.Accepted, Worker: "w", Epoch: 1}, after)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case ack := <-f.Ok():
		return ack.Sequence
	case err := <-f.Err():
		t.Fatal(err)
		return 0
	}
}

func TestPublish(t *testing.T) {
	p, _ := start(t)
	r, err := p.Publish(t.Context(), "acme", buy(""))
	if err != nil || r.ID == "" || r.Seq == 0 || r.Shard != p.Ledger().ShardOf("acme") || r.Duplicate {
		t.Fatalf("%+v, %v", r, err)
	}
	e, err := p.Ledger().At(t.Context(), r.Shard, r.Seq)
	if err != nil {
		t.Fatal(err)
	}
	in, err := order.DecodeIntent(e.Data)
	if err != nil || in.Validate() != nil || in.ID != r.ID || time.Until(in.ExpiresAt) > producer.DefaultLifetime || time.Until(in.ExpiresAt) <= 0 {
		t.Errorf("on the ledger: %+v, %v", in, err)
	}
	again := buy(r.ID)
	if dup, err := p.Publish(t.Context(), "acme", again); err != nil || !dup.Duplicate || dup.Seq != r.Seq {
		t.Errorf("published again: %+v, %v", dup, err)
	}
}

func TestPublishRefusesWhatIsInvalid(t *testing.T) {
	p, _ := start(t)
	bad := buy("a")
	bad.Order.Type = order.Limit
	_, err := p.Publish(t.Context(), "acme", bad)
	var field *order.FieldError
	if !errors.As(err, &field) || field.Field != "order.limit_price" {
		t.Errorf("no price: %v", err)
	}
	if _, err := p.Publish(t.Context(), "a.b", buy("a")); !errors.As(err, &field) || field.Field != "tenant" {
		t.Errorf("bad tenant: %v", err)
	}
	for shard := range shards {
		if end, err := p.Ledger().End(t.Context(), shard); err != nil || end != 0 {
			t.Errorf("something was published: %d %v", end, err)
		}
	}
}

func TestPublishSaysWhatIsMissing(t *testing.T) {
	t.Run("no ledger", func(t *testing.T) {
		if _, err := producer.New(t.Context(), ledgertest.Connect(t, ledgertest.Serve(t, 0))); !errors.Is(err, ledger.ErrNotProvisioned) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no mapping", func(t *testing.T) {
		nc := ledgertest.Connect(t, ledgertest.Serve(t, 0))
		var missing *ledger.MappingError
		if _, err := ledger.Provision(t.Context(), nc, ledger.DefaultSettings()); !errors.As(err, &missing) {
			t.Fatal(err)
		}
		p, err := producer.New(t.Context(), nc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Publish(t.Context(), "acme", buy("a")); !errors.Is(err, producer.ErrNoStream) || !strings.Contains(err.Error(), "worker provision") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("full", func(t *testing.T) {
		p, _ := start(t, func(s *ledger.Settings) { s.MaxBytes = 100 })
		if _, err := p.Publish(t.Context(), "acme", buy("a")); !errors.Is(err, producer.ErrRefused) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no server", func(t *testing.T) {
		p, nc := start(t)
		nc.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := p.Publish(ctx, "acme", buy("a")); !errors.Is(err, producer.ErrUnknown) {
			t.Errorf("got %v", err)
		}
	})
}

// TestPermission: a violation, which the server reports beside the publish, becomes the
// publish's error at once; another tenant's publishes are not concerned.
func TestPermission(t *testing.T) {
	own := ledger.Intents.Subject(ledger.ShardOf("acme", shards), "acme")
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
		Users: []*server.User{
			{Username: "admin", Password: "a"},
			{Username: "acme", Password: "b", Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: []string{own, "$JS.API.STREAM.INFO.>"}},
				Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	from, to := ledger.Mapping(shards)
	if err := srv.GlobalAccount().AddMapping(from, to); err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer func() { srv.Shutdown(); srv.WaitForShutdown() }()
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("no server")
	}
	s := ledger.DefaultSettings()
	s.Shards = shards
	if _, err := ledger.Provision(t.Context(), ledgertest.Connect(t, srv.ClientURL(), nats.UserInfo("admin", "a")), s); err != nil {
		t.Fatal(err)
	}
	others := make(chan error, 1)
	nc := ledgertest.Connect(t, srv.ClientURL(), nats.UserInfo("acme", "b"), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { others <- err }))
	p, err := producer.New(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Publish(t.Context(), "acme", buy("a")); err != nil {
		t.Errorf("its own: %v", err)
	}
	if _, err := p.Publish(t.Context(), "beta", buy("a")); !errors.Is(err, producer.ErrPermission) || !strings.Contains(err.Error(), "intents.beta") {
		t.Errorf("another's: %v", err)
	}
	// What is not ours still reaches the handler that was there.
	if err := nc.Publish("somewhere.else", nil); err != nil {
		t.Fatal(err)
	}
	if err := <-others; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("the handler got %v", err)
	}
}

// lossyDialer cuts the connection in place of the next answer, when it is told to.
type lossyDialer struct{ armed atomic.Bool }

func (d *lossyDialer) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	return &lossyConn{c, &d.armed}, err
}

type lossyConn struct {
	net.Conn
	armed *atomic.Bool
}

func (c *lossyConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.armed.CompareAndSwap(true, false) {
		return 0, errors.Join(io.ErrUnexpectedEOF, c.Close())
	}
	return n, err
}

// TestLostAcknowledgement: the ledger has the intent, and the producer does not hear of it.
// It publishes again under the same id, and learns that it is there.
func TestLostAcknowledgement(t *testing.T) {
	_, admin := start(t)
	dialer := &lossyDialer{}
	p, err := producer.New(t.Context(), ledgertest.Connect(t, admin.ConnectedUrl(), nats.SetCustomDialer(dialer), nats.ReconnectWait(time.Millisecond)))
	if err != nil {
		t.Fatal(err)
	}
	first, err := p.Publish(t.Context(), "acme", buy("a"))
	if err != nil || first.Duplicate {
		t.Fatalf("%+v, %v", first, err)
	}
	dialer.armed.Store(true)
	second, err := p.Publish(t.Context(), "acme", buy("b"))
	if err != nil || !second.Duplicate || second.Seq != first.Seq+1 {
		t.Errorf("%+v, %v", second, err)
	}
	if end, err := p.Ledger().End(t.Context(), first.Shard); err != nil || end != second.Seq {
		t.Errorf("the ledger ends at %d: %v", end, err)
	}
}

// TestDeadline: a server that is away for the time of a publish: the error says whether the
// intent can have arrived.
func TestDeadline(t *testing.T) {
	for name, tc := range map[string]struct {
		opts []nats.Option
		want error
	}{
		"kept to be sent later":       {nil, producer.ErrUnknown},
		"not sent without connection": {[]nats.Option{nats.ReconnectBufSize(-1)}, producer.ErrUnsent},
	} {
		t.Run(name, func(t *testing.T) {
			srv, err := natsserver.Start(natsserver.Options{Dir: t.TempDir(), Shards: shards})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { srv.Stop() }()
			lost := make(chan struct{})
			nc := ledgertest.Connect(t, srv.URL(), append(tc.opts, nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
				if err != nil { // not the end of the test
					close(lost)
				}
			}))...)
			s := ledger.DefaultSettings()
			s.Shards = shards
			if _, err := ledger.Provision(t.Context(), nc, s); err != nil {
				t.Fatal(err)
			}
			p, err := producer.New(t.Context(), nc)
			if err != nil {
				t.Fatal(err)
			}
			srv.Stop()
			<-lost
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if _, err := p.Publish(ctx, "acme", buy("a")); !errors.Is(err, tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func items(tenants, each int) iter.Seq[producer.Item] {
	return func(yield func(producer.Item) bool) {
		for n := range each {
			for t := range tenants {
				if !yield(producer.Item{Tenant: fmt.Sprintf("t%d", t), Intent: buy(fmt.Sprintf("%04d", n))}) {
					return
				}
			}
		}
	}
}

func TestPublishAllKeepsOrder(t *testing.T) {
	p, _ := start(t)
	last, n := map[string]uint64{}, 0
	for r := range p.PublishAll(t.Context(), items(7, 100)) {
		if r.Err != nil || r.Index != n || r.Receipt.Seq <= last[r.Item.Tenant] || r.Receipt.ID != r.Item.Intent.ID {
			t.Fatalf("result %d: %+v", n, r)
		}
		last[r.Item.Tenant] = r.Receipt.Seq
		n++
	}
	if n != 700 {
		t.Errorf("%d results", n)
	}
}

func TestPublishAllReportsEachError(t *testing.T) {
	p, _ := start(t)
	bad := buy("x")
	bad.Order.Symbol = ""
	var got []string
	for r := range p.PublishAll(t.Context(), slices.Values([]producer.Item{
		{Tenant: "a", Intent: buy("1")}, {Tenant: "a", Intent: bad}, {Tenant: "a", Intent: buy("2")}, {Tenant: "a b", Intent: buy("3")}, {Tenant: "b", Intent: buy("1")},
	})) {
		got = append(got, fmt.Sprint(r.Index, r.Err == nil))
	}
	if want := "[0 true 1 false 2 true 3 false 4 true]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, wanted %s", got, want)
	}
}

// TestPublishAllHoldsBack: when the fate of an intent is not known, the next one of its
// tenant does not overtake it.
func TestPublishAllHoldsBack(t *testing.T) {
	p, nc := start(t)
	nc.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var got []error
	for r := range p.PublishAll(ctx, slices.Values([]producer.Item{{Tenant: "a", Intent: buy("1")}, {Tenant: "a", Intent: buy("2")}, {Tenant: "b", Intent: buy("1")}})) {
		got = append(got, r.Err)
	}
	if len(got) != 3 || !errors.Is(got[0], producer.ErrUnknown) || !errors.Is(got[1], producer.ErrHeldBack) || !errors.Is(got[2], producer.ErrUnknown) {
		t.Errorf("got %v", got)
	}
}

func TestPublishAllCanBeStopped(t *testing.T) {
	p, _ := start(t)
	for r := range p.PublishAll(t.Context(), items(3, 1000)) {
		if r.Index == 10 {
			break
		}
	}
}

func TestAwait(t *testing.T) {
	p, _ := start(t)
	first, err := p.Publish(t.Context(), "acme", buy("a"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := p.Publish(t.Context(), "acme", buy("b"))
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan order.Outcome, 1)
	go func() {
		o, err := p.Await(t.Context(), second)
		if err != nil {
			t.Error(err)
		}
		got <- o
	}()
	tip := finish(t, p, first, 0)
	finish(t, p, second, tip)
	if o := <-got; o.IntentID != "b" || o.Status != order.Accepted {
		t.Errorf("outcome %+v", o)
	}
	if o, err := p.Await(t.Context(), first); err != nil || o.IntentID != "a" {
		t.Errorf("one that is there already: %+v, %v", o, err)
	}
	third, err := p.Publish(t.Context(), "acme", buy("c"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Await(ctx, third); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one that never comes: %v", err)
	}
}

func TestWatch(t *testing.T) {
	p, _ := start(t)
	var seqs []uint64
	var halfway time.Time
	tip := uint64(0)
	for i := range 6 {
		r, err := p.Publish(t.Context(), "acme", buy(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		tip = finish(t, p, r, tip)
		seqs = append(seqs, tip)
		if i == 2 {
			e, err := p.Ledger().At(t.Context(), r.Shard, tip)
			if err != nil {
				t.Fatal(err)
			}
			halfway = e.Time.Add(time.Nanosecond)
		}
	}
	for name, tc := range map[string]struct {
		from producer.From
		want []uint64
	}{
		"all":             {producer.FromSeq(0), seqs},
		"from a sequence": {producer.FromSeq(seqs[4]), seqs[4:]},
		"since a time":    {producer.SinceTime(halfway), seqs[3:]},
	} {
		t.Run(name, func(t *testing.T) {
			var got []uint64
			for o, err := range p.Watch(t.Context(), "acme", tc.from) {
				if err != nil {
					t.Fatal(err)
				}
				if got = append(got, o.Seq); o.Seq == tip {
					break
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, wanted %v", got, tc.want)
			}
		})
	}
	for _, err := range p.Watch(t.Context(), "no tenant", producer.Now()) {
		if err == nil {
			t.Error("a bad name is watched")
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	p, _ := start(b)
	for b.Loop() {
		if _, err := p.Publish(b.Context(), "acme", buy("")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPublishAll(b *testing.B) {
	p, _ := start(b)
	b.ReportAllocs()
	for r := range p.PublishAll(b.Context(), items(100, (b.N+99)/100)) {
		if r.Err != nil {
			b.Fatal(r.Err)
		}
	}
}
