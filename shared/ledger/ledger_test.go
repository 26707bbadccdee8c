package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/natsserver"
	"github.com/orderfleet/orderfleet/shared/order"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

// serve runs a NATS server; mapped is the number of shards in its account mapping.
func serve(t testing.TB, mapped int) *nats.Conn {
	t.Helper()
	return ledgertest.Connect(t, ledgertest.Serve(t, mapped))
}

func publish(t testing.TB, nc *nats.Conn, tenant, id string) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	data, err := order.EncodeIntent(order.Intent{ID: id, Kind: order.KindCancelAll, ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), ledger.PublishSubject(tenant), data); err != nil {
		t.Fatal(err)
	}
}

// appendOutcome appends and waits for the end of it.
func appendOutcome(t testing.TB, l *ledger.Ledger, tenant string, o order.Outcome, after uint64) (uint64, error) {
	t.Helper()
	f, err := l.Append(l.ShardOf(tenant), tenant, &o, after)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case ack := <-f.Ok():
		return ack.Sequence, nil
	case err := <-f.Err():
		return 0, err
	case <-t.Context().Done():
		t.Fatal("no answer")
		return 0, nil
	}
}

func TestShardOfAgreesWithTheServer(t *testing.T) {
	for _, shards := range []int{1, 3, 8} {
		nc := serve(t, shards)
		sub, err := nc.SubscribeSync("intents.*.*")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 200 {
			tenant := fmt.Sprintf("Tenant_%d-%d", i*7919, shards)
			if err := nc.Publish(ledger.PublishSubject(tenant), nil); err != nil {
				t.Fatal(err)
			}
			m, err := sub.NextMsgWithContext(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want := ledger.Intents.Subject(ledger.ShardOf(tenant, shards), tenant); m.Subject != want {
				t.Fatalf("the server put %s on %s, we expected %s", tenant, m.Subject, want)
			}
		}
	}
}

func TestProvisionIsIdempotent(t *testing.T) {
	nc := serve(t, 4)
	s := ledger.DefaultSettings()
	s.Shards = 4
	first, err := ledger.Provision(t.Context(), nc, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 5 { // four streams and a bucket
		t.Errorf("first run: %v", first)
	}
	second, err := ledger.Provision(t.Context(), nc, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(second) != 0 {
		t.Errorf("second run changed %v", second)
	}
	s.Dedup = time.Minute
	third, err := ledger.Provision(t.Context(), nc, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(third) != 4 || third[0].String() != "update ORDERS_0: dedup window from 10m0s to 1m0s" {
		t.Errorf("third run: %v", third)
	}
}

// TestProvisionVerifiesWithoutStoring: the dry run leaves nothing behind.
func TestProvisionVerifiesWithoutStoring(t *testing.T) {
	l, _ := ledgertest.Open(t, 8)
	for shard := range 8 {
		if end, err := l.End(t.Context(), shard); err != nil || end != 0 {
			t.Errorf("shard %d ends at %d (%v), wanted it empty", shard, end, err)
		}
	}
}

func TestProvisionRefusesToLoseData(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*ledger.Settings)
		field  string
	}{
		{"more shards", func(s *ledger.Settings) { s.Shards = 8 }, "shards"},
		{"fewer shards", func(s *ledger.Settings) { s.Shards = 2 }, "shards"},
		{"other storage", func(s *ledger.Settings) { s.Storage = "memory" }, "storage"},
		{"shorter retention", func(s *ledger.Settings) { s.Retention = 48 * time.Hour }, "retention"},
		{"smaller than its data", func(s *ledger.Settings) { s.MaxBytes = 10 }, "max bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			nc := serve(t, 4)
			s := ledger.DefaultSettings()
			s.Shards = 4
			if _, err := ledger.Provision(t.Context(), nc, s); err != nil {
				t.Fatal(err)
			}
			for i := range 40 {
				publish(t, nc, fmt.Sprintf("t%d", i), "a")
			}
			tc.change(&s)
			_, err := ledger.Provision(t.Context(), nc, s)
			var refused *ledger.RefusedError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, wanted a refusal", err)
			}
			if refused.Changes[0].Field != tc.field || refused.Changes[0].Why == "" {
				t.Errorf("refused %+v, wanted %s with a reason", refused.Changes[0], tc.field)
			}
		})
	}
}

// TestProvisionAddsSubjects: a stream of an older release that has messages gets the
// subjects that it lacks; none is taken away from one of a newer release.
func TestProvisionAddsSubjects(t *testing.T) {
	l, nc := ledgertest.Open(t, 1)
	subjects := func(change func([]string) []string) {
		stream, err := l.JetStream().Stream(t.Context(), ledger.StreamName(0))
		if err != nil {
			t.Fatal(err)
		}
		cfg := stream.CachedInfo().Config
		cfg.Subjects = change(cfg.Subjects)
		if _, err := l.JetStream().UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	s := ledger.DefaultSettings()
	s.Shards = 1
	publish(t, nc, "acme", "a")

	subjects(func(all []string) []string {
		return slices.DeleteFunc(all, func(one string) bool { return strings.HasPrefix(one, "controls.") })
	})
	if _, err := l.Control(t.Context(), "acme", release); err == nil || !strings.Contains(err.Error(), "provision it again") {
		t.Errorf("a control on a ledger without their subject: %v", err)
	}
	changes, err := ledger.Provision(t.Context(), nc, s)
	if err != nil || len(changes) != 1 || changes[0].Action != ledger.Update || changes[0].Field != "subjects" {
		t.Errorf("changes %v: %v", changes, err)
	}
	if _, err := l.Control(t.Context(), "acme", release); err != nil {
		t.Error(err)
	}

	subjects(func(all []string) []string { return append(all, "later.0.*") })
	_, err = ledger.Provision(t.Context(), nc, s)
	if refused, ok := errors.AsType[*ledger.RefusedError](err); !ok || refused.Changes[0].Field != "subjects" {
		t.Errorf("subjects were taken away: %v", err)
	}
}

var release = order.Control{Version: order.Version, Verb: order.Release, By: "kim", Reason: "seen at the broker", At: time.Unix(1_790_000_000, 0).UTC()}

// TestControls: the last control of a tenant is found, with its place among the tenant's
// other messages; what is none is not appended.
func TestControls(t *testing.T) {
	l, nc := ledgertest.Open(t, 2)
	shard := l.ShardOf("acme")
	if _, _, err := l.LastControl(t.Context(), shard, "acme"); !errors.Is(err, ledger.ErrNone) {
		t.Errorf("no control yet: %v", err)
	}
	publish(t, nc, "acme", "a")
	first, err := l.Control(t.Context(), "acme", release)
	if err != nil || first != 2 {
		t.Fatalf("sequence %d: %v", first, err)
	}
	again := release
	again.Reason = "again"
	if _, err := l.Control(t.Context(), "acme", again); err != nil {
		t.Fatal(err)
	}
	if c, seq, err := l.LastControl(t.Context(), shard, "acme"); err != nil || seq != 3 || c != again {
		t.Errorf("found %+v at %d: %v", c, seq, err)
	}
	e, err := l.At(t.Context(), shard, first)
	if err != nil || e.Class != ledger.Controls || e.Tenant != "acme" {
		t.Errorf("entry %+v: %v", e, err)
	}
	bad := release
	bad.By = ""
	if _, err := l.Control(t.Context(), "acme", bad); err == nil || !strings.Contains(err.Error(), "by: is required") {
		t.Errorf("a control of nobody: %v", err)
	}
	if _, err := l.Control(t.Context(), "a.b", release); err == nil {
		t.Error("a control of no tenant was taken")
	}
	// One that is no message of ours is an error that says where it is and what is wrong.
	if _, err := l.JetStream().Publish(t.Context(), ledger.Controls.Subject(shard, "acme"), []byte(`{"by":1}`)); err != nil {
		t.Fatal(err)
	}
	_, _, err = l.LastControl(t.Context(), shard, "acme")
	if _, ok := errors.AsType[*order.FieldError](err); !ok || !strings.Contains(err.Error(), "sequence 4") {
		t.Errorf("a malformed control: %v", err)
	}
}

func TestMappingErrors(t *testing.T) {
	for _, tc := range []struct {
		name            string
		mapped, wanted  int
		problem, config string
	}{
		{"absent", 0, 8, "no stream took a publish", `"intents.*": "intents.{{partition(8,1)}}.{{wildcard(1)}}"`},
		{"of another number of shards", 4, 8, "arrived at", `{{partition(8,1)}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			nc := serve(t, tc.mapped)
			s := ledger.DefaultSettings()
			s.Shards = tc.wanted
			_, err := ledger.Provision(t.Context(), nc, s)
			var missing *ledger.MappingError
			if !errors.As(err, &missing) {
				t.Fatalf("got %v, wanted a mapping error", err)
			}
			for _, want := range []string{tc.problem, tc.config} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not say %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*ledger.Settings){
		"Shards":    func(s *ledger.Settings) { s.Shards = 0 },
		"Replicas":  func(s *ledger.Settings) { s.Replicas = 2 },
		"Storage":   func(s *ledger.Settings) { s.Storage = "tape" },
		"Retention": func(s *ledger.Settings) { s.Retention = time.Minute },
		"MaxBytes":  func(s *ledger.Settings) { s.MaxBytes = -1 },
		"Dedup":     func(s *ledger.Settings) { s.Dedup = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			s := ledger.DefaultSettings()
			change(&s)
			var bad *ledger.SettingError
			if err := s.Validate(); !errors.As(err, &bad) || bad.Setting != name {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOpenWithoutLedger(t *testing.T) {
	if _, err := ledger.Open(t.Context(), serve(t, 0)); !errors.Is(err, ledger.ErrNotProvisioned) {
		t.Errorf("got %v", err)
	}
}

func TestAppendIsCompareAndSet(t *testing.T) {
	l, _ := ledgertest.Open(t, 2)
	one, err := appendOutcome(t, l, "acme", order.Outcome{IntentSeq: 1, Status: order.Accepted, Worker: "a", Epoch: 1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := appendOutcome(t, l, "acme", order.Outcome{IntentSeq: 1, Status: order.Rejected, Worker: "b", Epoch: 2}, 0); !ledger.IsConflict(err) {
		t.Errorf("a second outcome on no outcome: %v", err)
	}
	two, err := appendOutcome(t, l, "acme", order.Outcome{IntentSeq: 2, Status: order.Accepted, Worker: "a", Epoch: 1}, one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := appendOutcome(t, l, "beta", order.Outcome{IntentSeq: 9, Status: order.Accepted, Worker: "a", Epoch: 1}, 0); err != nil {
		t.Errorf("another tenant is not concerned: %v", err)
	}
	last, seq, err := l.LastOutcome(t.Context(), l.ShardOf("acme"), "acme")
	if err != nil || seq != two || last.IntentSeq != 2 || last.Worker != "a" {
		t.Errorf("last outcome is %+v at %d (%v)", last, seq, err)
	}
	if _, _, err := l.LastOutcome(t.Context(), 0, "nobody"); !errors.Is(err, ledger.ErrNone) {
		t.Errorf("a tenant without outcomes: %v", err)
	}
}

func TestRead(t *testing.T) {
	l, nc := ledgertest.Open(t, 1)
	for i := range 10 {
		publish(t, nc, "acme", fmt.Sprintf("a%d", i))
		publish(t, nc, "beta", fmt.Sprintf("b%d", i))
	}
	r := l.Reader()
	defer r.Close()
	entries, err := r.Read(t.Context(), 0, []uint64{3, 4, 17, 99})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, fmt.Sprintf("%d %s %s", e.Seq, e.Tenant, order.PeekID(e.Data)))
	}
	if want := "[3 acme a1 4 beta b1 17 acme a8]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, wanted %s", got, want)
	}
	e, err := l.FindIntent(t.Context(), 0, "beta", "b7", 100)
	if err != nil || e.Seq != 16 {
		t.Errorf("b7 is at %d (%v)", e.Seq, err)
	}
	if _, err := l.FindIntent(t.Context(), 0, "beta", "b7", 16); !errors.Is(err, ledger.ErrNone) {
		t.Errorf("b7 before itself: %v", err)
	}
	if e, err = l.At(t.Context(), 0, 16); err != nil || e.Tenant != "beta" || e.Class != ledger.Intents {
		t.Errorf("at 16: %+v (%v)", e, err)
	}
}

// TestTailGoesOnAfterARestart: a tail misses nothing and repeats nothing when its
// server goes away and comes back.
func TestTailGoesOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	srv, err := natsserver.Start(natsserver.Options{Dir: dir, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(srv.URL(), nats.ReconnectWait(10*time.Millisecond), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s := ledger.DefaultSettings()
	s.Shards = 1
	if _, err := ledger.Provision(t.Context(), nc, s); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	seqs, ended := make(chan uint64, 100), make(chan error, 1)
	go func() {
		ended <- l.Tail(ctx, 0, 1, func(e ledger.Entry) error { seqs <- e.Seq; return nil })
	}()
	for i := range uint64(5) {
		publish(t, nc, "acme", fmt.Sprintf("a%d", i))
		if got := <-seqs; got != i+1 {
			t.Fatalf("got %d, wanted %d", got, i+1)
		}
	}

	port := nc.ConnectedAddr()[strings.LastIndex(nc.ConnectedAddr(), ":")+1:]
	srv.Stop()
	var n int
	if _, err := fmt.Sscan(port, &n); err != nil {
		t.Fatal(err)
	}
	srv, err = natsserver.Start(natsserver.Options{Dir: dir, Port: n, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	other, err := nats.Connect(srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	publish(t, other, "acme", "after")
	if got := <-seqs; got != 6 {
		t.Errorf("after the restart came %d, wanted 6", got)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the tail ended with %v", err)
	}
}

// TestFollowFromNowOutlivesARestart: a reader of what comes has seen nothing yet when the
// server goes; what is published before it is back at the server is not passed over.
func TestFollowFromNowOutlivesARestart(t *testing.T) {
	options := natsserver.Options{Dir: t.TempDir(), Shards: 1}
	srv, err := natsserver.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { srv.Stop() }()
	nc, err := nats.Connect(srv.URL(), nats.ReconnectWait(300*time.Millisecond), nats.ReconnectJitter(0, 0), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s := ledger.DefaultSettings()
	s.Shards = 1
	if _, err := ledger.Provision(t.Context(), nc, s); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, nc, "acme", "before")

	ctx, cancel := context.WithCancel(t.Context())
	seqs, ended := make(chan uint64, 100), make(chan error, 1)
	go func() {
		ended <- l.Follow(ctx, ledger.Intents, "acme", ledger.Start{}, func(e ledger.Entry) error { seqs <- e.Seq; return nil })
	}()
	consumers(t, l, 1)
	if _, err := fmt.Sscan(nc.ConnectedAddr()[strings.LastIndex(nc.ConnectedAddr(), ":")+1:], &options.Port); err != nil {
		t.Fatal(err)
	}
	srv.Stop()
	if srv, err = natsserver.Start(options); err != nil {
		t.Fatal(err)
	}
	other, err := nats.Connect(srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	publish(t, other, "acme", "meanwhile")
	if got := <-seqs; got != 2 {
		t.Errorf("got %d, wanted 2", got)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	consumers(t, l, 0) // nothing stays behind at the server
}

// consumers waits until a shard's stream has so many consumers.
func consumers(t *testing.T, l *ledger.Ledger, n int) {
	t.Helper()
	for {
		stream, err := l.JetStream().Stream(t.Context(), ledger.StreamName(0))
		if err != nil {
			t.Fatal(err)
		}
		if stream.CachedInfo().State.Consumers == n {
			return
		}
		runtime.Gosched()
	}
}

func TestErrorsThatPass(t *testing.T) {
	api := func(status int, code jetstream.ErrorCode) error {
		return fmt.Errorf("wrapped: %w", &jetstream.APIError{Code: status, ErrorCode: code})
	}
	for name, tc := range map[string]struct {
		err                       error
		transient, full, conflict bool
	}{
		"no leader":                   {err: api(503, 10008), transient: true},
		"not the leader":              {err: api(500, 10009), transient: true},
		"offline":                     {err: api(500, 10118), transient: true},
		"the same id is on its way":   {err: api(409, 10158), transient: true},
		"another write is on its way": {err: api(400, 10164), transient: true},
		"stopping":                    {err: api(503, 10076), transient: true},
		"no answer":                   {err: nats.ErrTimeout, transient: true},
		"no acknowledgement":          {err: jetstream.ErrAsyncPublishTimeout, transient: true},
		"cut":                         {err: nats.ErrDisconnected, transient: true},
		"not connected":               {err: nats.ErrReconnectBufExceeded, transient: true},
		"the stream is at its limit":  {err: api(503, 10077), full: true},
		"the server is at its limit":  {err: api(503, 10023), full: true},
		"the account is at its limit": {err: api(400, 10002), full: true},
		"lost a compare-and-set":      {err: api(400, 10071), conflict: true},
		"no stream":                   {err: api(404, 10059)},
		"closed":                      {err: nats.ErrConnectionClosed},
		"not permitted":               {err: nats.ErrPermissionViolation},
		"the message is too large":    {err: api(400, 10054)},
	} {
		if got := ledger.Transient(tc.err); got != tc.transient {
			t.Errorf("%s: transient is %v", name, got)
		}
		if got := ledger.IsFull(tc.err); got != tc.full {
			t.Errorf("%s: full is %v", name, got)
		}
		if got := ledger.IsConflict(tc.err); got != tc.conflict {
			t.Errorf("%s: conflict is %v", name, got)
		}
	}
}
