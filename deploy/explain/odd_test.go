package explain_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/explain"
	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// FuzzLife: whatever stands on a ledger, and whoever put it there, a life of it is told, and
// printing it does nothing to a terminal.
func FuzzLife(f *testing.F) {
	for _, l := range lives {
		b := newBook()
		l.write(b)
		parts := make(map[ledger.Class][]byte)
		by := ""
		for _, e := range b.entries {
			parts[e.Class] = e.Data
			by = e.Header.Get(ledger.ByHeader)
		}
		f.Add(l.what, by, parts[ledger.Intents], parts[ledger.Outcomes], parts[ledger.Updates], parts[ledger.Controls], parts[ledger.Epochs])
	}
	f.Add("one", "\x1b[2J", []byte(`{"id":"one","kind":"order","expires_at":"2026-11-24T15:00:00Z","order":{"symbol":"\u001b[31m"},"labels":{"a":"\u202e"}}`),
		[]byte(`{"intent_seq":2,"status":"\u0007","message":"\u001b]0;x\u0007","course":{"tries":[{}],"waits":[{"why":"\u009b"}],"tries_omitted":-9223372036854775808}}`),
		[]byte(`{"event":"\r\n","client_order_id":"acme.one","qty":"1","price":"2"}`), []byte(`{"verb":"release","by":"\u0000"}`), []byte(`{"worker":"\u001b"}`))
	f.Fuzz(func(t *testing.T, what, by string, intent, outcome, update, control, epoch []byte) {
		b := newBook()
		for range 2 {
			b.put(ledger.Epochs, "", epoch, nil, nil)
			b.put(ledger.Intents, "acme", intent, nil, nats.Header{ledger.ByHeader: {by}})
			b.put(ledger.Controls, "acme", control, nil, nil)
			b.put(ledger.Outcomes, "acme", outcome, nil, nil)
			b.put(ledger.Updates, "acme", update, nil, nil)
		}
		life, err := explain.Read(t.Context(), b, "acme", what, quiet)
		if err != nil {
			checkPrintable(t, err.Error())
			return
		}
		life.See(explain.Scene{Now: b.now.Add(time.Hour)})
		var screen bytes.Buffer
		if err := life.Print(&screen, false); err != nil {
			t.Fatal(err)
		}
		checkPrintable(t, screen.String())
	})
}

func checkPrintable(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("%q has %q", text, r)
		}
	}
}

// TestLifeAsJSON: what machines read of a life is all of it.
func TestLifeAsJSON(t *testing.T) {
	for _, tc := range lives {
		t.Run(tc.name, func(t *testing.T) {
			b := newBook()
			tc.write(b)
			life, err := explain.Read(t.Context(), b, "acme", tc.what, quiet)
			if err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(life)
			if err != nil {
				t.Fatal(err)
			}
			var again explain.Life
			if err := json.Unmarshal(data, &again); err != nil {
				t.Fatal(err)
			}
			twice, err := json.Marshal(again)
			if err != nil || !bytes.Equal(twice, data) || len(again.Steps) != len(life.Steps) {
				t.Errorf("%s became %s: %v", data, twice, err)
			}
		})
	}
}

// TestWithoutExpiry: what states no expiry, or one that is over, is not told as if it had one
// to come.
func TestWithoutExpiry(t *testing.T) {
	for _, tc := range []struct {
		data, asked, published string
	}{
		{`{"id":"odd"}`, "", "sequence 1; without an expiry\n"},
		{`{"id":"odd","kind":"cancel_all"}`, "  asked   cancel_all\n", "sequence 1; without an expiry\n"},
		{`{"id":"odd","kind":"cancel_all","expires_at":"2026-11-24T14:59:30Z"}`, "cancel_all, expires 2026-11-24T14:59:30.000Z\n", "sequence 1; expired 30s before\n"},
	} {
		b := newBook()
		b.put(ledger.Intents, "acme", []byte(tc.data), nil, nil)
		life, err := explain.Read(t.Context(), b, "acme", "odd", quiet)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := life.Print(&text, false); err != nil {
			t.Fatal(err)
		}
		if said := text.String(); strings.Contains(said, "asked") != (tc.asked != "") || !strings.Contains(said, tc.asked) || !strings.Contains(said, tc.published) {
			t.Errorf("%s:\n%s", tc.data, said)
		}
	}
}

// TestSee: what the owner of a shard says of a tenant becomes the closest reason.
func TestSee(t *testing.T) {
	seq := uint64(4)
	for _, tc := range []struct {
		name  string
		scene explain.Scene
		want  []explain.Code
	}{
		{"nobody", explain.Scene{}, []explain.Code{explain.Unowned, explain.MayHold, explain.Behind}},
		{"silent", explain.Scene{Owner: "w", Silent: inquiry.ErrSilent}, []explain.Code{explain.NoAnswer, explain.MayHold, explain.Behind}},
		{"held", explain.Scene{Owner: "w", State: &inquiry.TenantState{Phase: inquiry.Aside, HeldBy: 2, Read: 9, First: 3}}, []explain.Code{explain.Held, explain.Behind}},
		{"not read", explain.Scene{Owner: "w", State: &inquiry.TenantState{Phase: inquiry.Live, Read: 3, First: 3}}, []explain.Code{explain.Unread, explain.Behind}},
		{"behind others", explain.Scene{Owner: "w", State: &inquiry.TenantState{Phase: inquiry.Live, Read: 9, First: 3}}, []explain.Code{explain.Behind}},
		{"a wait", explain.Scene{Owner: "w", State: &inquiry.TenantState{Phase: inquiry.Aside, Read: 9, First: 3, Why: order.WhyBreaker}},
			[]explain.Code{explain.Code(order.WhyBreaker), explain.Behind}},
		{"no place", explain.Scene{Owner: "w", State: &inquiry.TenantState{Phase: inquiry.Waiting, Read: 9, First: 3}},
			[]explain.Code{explain.Code(order.WhyPlace), explain.Behind}},
		{"done meanwhile", explain.Scene{Owner: "w", State: &inquiry.TenantState{Phase: inquiry.Live, Read: 9, First: 5}}, []explain.Code{explain.Over, explain.Behind}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBook()
			for _, l := range lives {
				if l.name == "not-done" {
					l.write(b)
				}
			}
			life, err := explain.Read(t.Context(), b, "acme", "two", quiet)
			if err != nil || life.Waiting == nil || life.Waiting.Seq != seq || life.Waiting.Ahead != 1 {
				t.Fatalf("%+v: %v", life, err)
			}
			tc.scene.Now = b.now
			life.See(tc.scene)
			var got []explain.Code
			for _, r := range life.Waiting.For {
				if got = append(got, r.Code); r.Text == "" {
					t.Errorf("%s says nothing", r.Code)
				}
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("waits for %v, wanted %v", got, tc.want)
			}
			var screen bytes.Buffer
			if err := life.Print(&screen, true); err != nil || !bytes.Contains(screen.Bytes(), []byte("\x1b[33mdue")) || !bytes.Contains(screen.Bytes(), []byte("not done")) {
				t.Errorf("%v: %s", err, screen.Bytes())
			}
		})
	}
}

// TestColourIsOfTheStatus: on a terminal one sees at once whether it went well.
func TestColourIsOfTheStatus(t *testing.T) {
	for status, colour := range map[order.Status]string{order.Accepted: "32", order.Rejected: "31"} {
		b := newBook()
		seq := b.intent("acme", "bot", buy("one"))
		b.outcome("acme", 1, order.Outcome{IntentID: "one", IntentSeq: seq, Status: status})
		life, err := explain.Read(t.Context(), b, "acme", "one", quiet)
		if err != nil {
			t.Fatal(err)
		}
		var screen bytes.Buffer
		if err := life.Print(&screen, true); err != nil || !bytes.Contains(screen.Bytes(), []byte("\x1b["+colour+"m")) {
			t.Errorf("%v: %s", err, screen.Bytes())
		}
	}
}
