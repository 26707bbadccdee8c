package ledger_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
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

// TestControls: the last control of a tenant is found, with its place among the tenant's
// other messages; what is none is not appended.
func TestControls(t *testing.T) {
	l, nc := ledgertest.Open(t, 2)
	shard := l.ShardOf("acme")
	if _, _, err := l.NextControl(t.Context(), shard, "acme", 1); !errors.Is(err, ledger.ErrNone) {
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
	if c, seq, err := l.NextControl(t.Context(), shard, "acme", 1); err != nil || seq != 2 || c != release {
		t.Errorf("found %+v at %d: %v", c, seq, err)
	}
	if c, seq, err := l.NextControl(t.Context(), shard, "acme", 3); err != nil || seq != 3 || c != again {
		t.Errorf("found %+v at %d: %v", c, seq, err)
	}
	if n, err := l.Count(t.Context(), shard, ledger.Controls); err != nil || n != 2 {
		t.Errorf("%d controls: %v", n, err)
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
	_, seq, err := l.NextControl(t.Context(), shard, "acme", 4)
	if _, ok := errors.AsType[*order.FieldError](err); !ok || seq != 4 || !strings.Contains(err.Error(), "sequence 4") {
		t.Errorf("a malformed control: %v", err)
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

// TestReadAbout: what is about a tenant is what a reading of everything shows of it, with
// the epochs of its shard, in order.
func TestReadAbout(t *testing.T) {
	l, nc := ledgertest.Open(t, 1)
	for i := range 5 {
		if _, err := l.Begin(t.Context(), 0, ledger.Epoch{Epoch: uint64(i), Worker: "w", At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		for _, tenant := range []string{"acme", "acme-2", "other"} {
			publish(t, nc, tenant, fmt.Sprint(i))
		}
	}
	said := order.Control{Verb: order.Release, By: "ann", Reason: "looked", At: time.Now()}
	if _, err := l.Control(t.Context(), "acme", said); err != nil {
		t.Fatal(err)
	}
	if _, err := appendOutcome(t, l, "acme", order.Outcome{IntentSeq: 2, Status: order.Accepted}, 0); err != nil {
		t.Fatal(err)
	}
	end, err := l.End(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := appendOutcome(t, l, "acme", order.Outcome{IntentSeq: 6, Status: order.Accepted}, end); err != nil { // behind the end
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		start  ledger.Start
		tenant string
	}{
		{"all", ledger.Start{}, "acme"},
		{"from the middle", ledger.Start{Seq: 9}, "acme"},
		{"of nobody", ledger.Start{}, "nobody"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var want, got []ledger.Entry
			if err := l.Read(t.Context(), 0, tc.start, end, func(e ledger.Entry) error {
				if e.Tenant == tc.tenant || e.Class == ledger.Epochs {
					want = append(want, e)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if err := l.ReadAbout(t.Context(), tc.tenant, tc.start, end, func(e ledger.Entry) error {
				got = append(got, e)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) || len(got) < 3 {
				t.Errorf("read %v, wanted %v", got, want)
			}
		})
	}
}
