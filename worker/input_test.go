package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/broker"
)

const soon = `"expires_at":"2099-01-01T00:00:00Z"`

const goodOrder = `"order":{"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day"}`

// TestBadInput: whatever anybody publishes ends in a defined outcome that says why, and
// stops neither its shard nor another tenant, nor the next intent of its own.
func TestBadInput(t *testing.T) {
	r := newRig(t)
	r.work()
	for i, tc := range []struct{ name, payload, id, message string }{
		{"empty", ``, "", "is not JSON"},
		{"no JSON", `{"id":`, "", "is not JSON"},
		{"not an object", `[1,2]`, "", "an array"},
		{"binary", "\x00\xff\xfe", "", "is not JSON"},
		{"unknown kind", `{"id":"a%d","kind":"barter",` + soon + `}`, "a%d", "kind:"},
		{"unknown field", `{"id":"a%d","kind":"order","colour":"red",` + soon + `,` + goodOrder + `}`, "a%d", "colour: is not a known field"},
		{"field twice", `{"id":"a%d","kind":"order","kind":"cancel",` + soon + `}`, "", "kind:"},
		{"wrong decimal", `{"id":"a%d","kind":"order",` + soon + `,"order":{"symbol":"AAPL","qty":"1,5","side":"buy","type":"market","time_in_force":"day"}}`, "a%d", "order.qty:"},
		{"a decimal to fill the memory", `{"id":"a%d","kind":"order",` + soon + `,"order":{"symbol":"AAPL","qty":"1e999999999","side":"buy","type":"market","time_in_force":"day"}}`, "a%d", "order.qty:"},
		{"no id", `{"kind":"order",` + soon + `,` + goodOrder + `}`, "", "id:"},
		{"a bad id", `{"id":"a b","kind":"order",` + soon + `,` + goodOrder + `}`, "", "id:"},
		{"no expiry", `{"id":"a%d","kind":"order",` + goodOrder + `}`, "a%d", "expires_at:"},
		{"no order", `{"id":"a%d","kind":"order",` + soon + `}`, "a%d", "order:"},
		{"no target", `{"id":"a%d","kind":"cancel",` + soon + `}`, "a%d", "target:"},
		{"another version", `{"v":2,"id":"a%d","kind":"order",` + soon + `,` + goodOrder + `}`, "a%d", "v:"},
		{"no price", `{"id":"a%d","kind":"order",` + soon + `,"order":{"symbol":"AAPL","qty":"1","side":"buy","type":"limit","time_in_force":"day"}}`, "a%d", "order.limit_price:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name := fmt.Sprintf("tenant%d", i)
			fill := func(s string) string { return strings.ReplaceAll(s, "%d", fmt.Sprint(i)) }
			seq := r.publishRaw(name, fill(tc.payload))
			r.publish(name, buy("next"))
			got := r.outcomes(name, 2)
			if o := got[0]; o.Status != order.Invalid || o.IntentSeq != seq || o.IntentID != fill(tc.id) || !strings.Contains(o.Message, tc.message) {
				t.Errorf("outcome %+v, wanted a message with %q", o, tc.message)
			}
			if got[1].Status != order.Accepted {
				t.Errorf("the next intent: %+v", got[1])
			}
		})
	}
}

// TestOversized: a message that is too large is refused when it is published.
func TestOversized(t *testing.T) {
	r := newRig(t)
	_, err := r.js.Publish(t.Context(), ledger.PublishSubject("acme"), make([]byte, order.MaxMessage+8192))
	var api *jetstream.APIError
	if !errors.As(err, &api) && !errors.Is(err, nats.ErrMaxPayload) {
		t.Errorf("published: %v", err)
	}
	// One that only just fits the stream is read, and found too large.
	r.work()
	r.publishRaw("acme", `{"id":"a","x":"`+strings.Repeat("x", order.MaxMessage)+`"}`)
	if o := r.outcomes("acme", 1)[0]; o.Status != order.Invalid || !strings.Contains(o.Message, "bytes") {
		t.Errorf("outcome %+v", o)
	}
}

// TestBadTenantNames end as invalid on subjects of their own.
func TestBadTenantNames(t *testing.T) {
	r := newRig(t)
	r.work()
	for _, name := range []string{strings.Repeat("x", 49), "a+b", "täna"} {
		r.publish(name, buy("one"))
		if o := r.outcomes(name, 1)[0]; o.Status != order.Invalid || !strings.Contains(o.Message, "tenant") {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if len(r.books.arrivals) != 0 {
		t.Errorf("asked the broker: %v", r.books.arrivals)
	}
}

// TestWrongShard: an intent that was smuggled into another tenant's shard is invalid.
func TestWrongShard(t *testing.T) {
	r := newRig(t)
	r.work()
	wrong := 1 - r.ledger.ShardOf("acme")
	data, err := order.EncodeIntent(buy("one"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.js.Publish(t.Context(), ledger.Intents.Subject(wrong, "acme"), data); err != nil {
		t.Fatal(err)
	}
	for {
		o, _, err := r.ledger.LastOutcome(t.Context(), wrong, "acme")
		if errors.Is(err, ledger.ErrNone) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if o.Status != order.Invalid || !strings.Contains(o.Message, "publish to intents.acme") {
			t.Errorf("outcome %+v", o)
		}
		return
	}
}

// TestTenantsThatCannotBeServed are blocked, by name of the rule.
func TestTenantsThatCannotBeServed(t *testing.T) {
	r := newRig(t)
	broken := errors.New("broker: https:// is no address")
	r.work(func(c *worker.Config) {
		c.Connect = func(ctx context.Context, name string) (broker.Line, error) {
			switch name {
			case "nobody":
				return broker.Line{}, fmt.Errorf("%w: nobody", tenant.ErrUnknown)
			case "keyless":
				return broker.Line{}, fmt.Errorf("%w: keyless", tenant.ErrNoCredentials)
			case "broken":
				return broker.Line{}, broken
			}
			return r.books.connect(ctx, name)
		}
	})
	for name, rule := range map[string]string{"nobody": "unknown_tenant", "keyless": "no_credentials", "broken": "tenant_config"} {
		r.publish(name, buy("one"))
		if o := r.outcomes(name, 1)[0]; o.Status != order.Blocked || o.Rule != rule || o.Message == "" || o.Attempts != 0 {
			t.Errorf("%s: %+v", name, o)
		}
	}
	r.publish("acme", buy("one"))
	if o := r.outcomes("acme", 1)[0]; o.Status != order.Accepted {
		t.Errorf("a tenant beside them: %+v", o)
	}
}

// TestForeignOutcome: an outcome that is no message of ours does not stop the shard.
func TestForeignOutcome(t *testing.T) {
	r := newRig(t)
	if _, err := r.js.Publish(t.Context(), ledger.Outcomes.Subject(r.ledger.ShardOf("other"), "other"), []byte("{")); err != nil {
		t.Fatal(err)
	}
	r.work()
	for i := range 4 { // in both shards
		name := fmt.Sprintf("t%d", i)
		r.publish(name, buy("one"))
		if o := r.outcomes(name, 1)[0]; o.Status != order.Accepted {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// TestExpiryIsCheckedLast: an intent that is in time when it is taken up, and too late
// when the request would be written, is not sent.
func TestExpiryIsCheckedLast(t *testing.T) {
	r := newRig(t)
	r.books.meddle = func(call, id string, _ func()) *broker.Verdict {
		if call == "place" && id == "acme.first" {
			return &broker.Verdict{Kind: broker.RetryAfter, HTTPStatus: 429, Wait: time.Hour}
		}
		return nil
	}
	r.work()
	in := buy("first")
	in.ExpiresAt = time.Now().Add(250 * time.Millisecond)
	r.publish("acme", in)
	o := r.outcomes("acme", 1)[0]
	if o.Status != order.Expired || o.Attempts != 1 {
		t.Errorf("outcome %+v", o)
	}
}
