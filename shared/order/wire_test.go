package order_test

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

// Any valid intent is the same after the wire, passes the schema, and is the same bytes
// when written twice.
func TestIntentsSurviveTheWire(t *testing.T) {
	schema := compiled(t, order.IntentSchema)
	rapid.Check(t, func(t *rapid.T) {
		in := drawIntent(t)
		if err := in.Validate(); err != nil {
			t.Fatalf("drew an invalid intent: %v", err)
		}
		data, err := order.EncodeIntent(in)
		if err != nil {
			t.Fatal(err)
		}
		again, err := order.DecodeIntent(data)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if err := again.Validate(); err != nil {
			t.Fatalf("became invalid: %v", err)
		}
		if !again.ExpiresAt.Equal(in.ExpiresAt) {
			t.Errorf("expiry %s became %s", in.ExpiresAt, again.ExpiresAt)
		}
		twice, err := order.EncodeIntent(again)
		if err != nil || !bytes.Equal(twice, data) {
			t.Errorf("%s became %s: %v", data, twice, err)
		}
		if order.PeekID(data) != in.ID {
			t.Errorf("peeked %q of %s", order.PeekID(data), data)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("the schema refuses %s: %v", data, err)
		}
	})
}

// Any outcome, whatever the broker wrote in it, is the same after the wire.
func TestOutcomesSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := order.Outcome{
			Version: order.Version, IntentID: drawID(t), IntentSeq: rapid.Uint64().Draw(t, "seq"),
			Status:  rapid.SampledFrom([]order.Status{order.Accepted, order.Rejected, order.Failed}).Draw(t, "status"),
			Message: rapid.String().Draw(t, "message"), Code: rapid.Int().Draw(t, "code"),
			Uncanceled: rapid.IntRange(0, 9).Draw(t, "uncanceled"),
			Recovered:  rapid.Bool().Draw(t, "recovered"), Worker: rapid.String().Draw(t, "worker"),
			Epoch: rapid.Uint64().Draw(t, "epoch"), Committed: drawTime(t),
		}
		if rapid.Bool().Draw(t, "course") {
			o.Course = drawCourse(t)
		}
		if rapid.Bool().Draw(t, "counted") {
			qty, each := decimal.New(rapid.Int64Range(1, 1e9).Draw(t, "qty"), -9), decimal.New(rapid.Int64Range(1, 1e12).Draw(t, "each"), -4)
			o.Counted = &order.Counted{Symbol: "AAPL", Side: order.Sell, Qty: &qty, Each: &each, Orders: rapid.IntRange(0, 3).Draw(t, "orders")}
		}
		data, err := order.EncodeOutcome(o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := order.DecodeOutcome(data)
		if c, d := o.Counted, again.Counted; c != nil && d != nil && c.Qty.Equal(*d.Qty) && c.Each.Equal(*d.Each) {
			d.Qty, d.Each = c.Qty, c.Each // whose inner forms may differ
		}
		if err != nil || !reflect.DeepEqual(again, o) {
			t.Errorf("%+v became %+v: %v", o, again, err)
		}
	})
}

// drawCourse draws a course of any length, with whatever a broker may have said.
func drawCourse(t *rapid.T) *order.Course {
	c := new(order.Course)
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		at := drawTime(t)
		if rapid.Bool().Draw(t, "wait") {
			c.Waited(order.Wait{
				Why:  rapid.SampledFrom([]order.Why{order.WhyRateLimit, order.WhyBackOff, order.WhyBreaker}).Draw(t, "why"),
				From: at, Until: at.Add(time.Second), Aside: rapid.Bool().Draw(t, "aside"),
			})
			continue
		}
		c.Tried(order.Try{
			Call: order.CallPlace, At: at, Ended: at.Add(time.Millisecond), Verdict: order.VerdictUnknown,
			Code: rapid.Int().Draw(t, "code"), RequestID: rapid.String().Draw(t, "request id"), Problem: rapid.String().Draw(t, "problem"),
		})
	}
	return c
}

func drawID(t *rapid.T) string {
	return rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`).Draw(t, "id")
}

func drawTarget(t *rapid.T, of string) string {
	return rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`).Filter(func(s string) bool { return s != of }).Draw(t, "target")
}

func drawTime(t *rapid.T) time.Time {
	return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanosecond")).UTC()
}

// drawNumber draws a number above 0 of at most so many decimals.
func drawNumber(t *rapid.T, what string, decimals int32) *decimal.Decimal {
	d := decimal.New(rapid.Int64Range(1, 1e15).Draw(t, what), -rapid.Int32Range(0, decimals).Draw(t, what+" decimals"))
	return &d
}

func drawIntent(t *rapid.T) order.Intent {
	in := order.Intent{
		ID: drawID(t), ExpiresAt: drawTime(t),
		Kind: rapid.SampledFrom([]order.Kind{order.KindOrder, order.KindReplace, order.KindCancel, order.KindCancelAll, order.KindClosePosition}).Draw(t, "kind"),
		Labels: rapid.MapOfN(rapid.StringMatching(`\w{1,64}`), rapid.StringMatching(`[ -~é]{0,100}`), 0, order.MaxLabels).
			Draw(t, "labels"),
	}
	switch in.Kind {
	case order.KindOrder:
		in.Order = drawOrder(t)
	case order.KindReplace:
		in.Target = drawTarget(t, in.ID)
		in.Order = &order.Order{LimitPrice: drawNumber(t, "limit", 9), Trail: drawNumber(t, "trail", 9)}
	case order.KindCancel:
		in.Target = drawTarget(t, in.ID)
	case order.KindClosePosition:
		in.Order = &order.Order{Symbol: "AAPL", Qty: drawNumber(t, "qty", 9)}
	case order.KindCancelAll:
	}
	return in
}

func drawOrder(t *rapid.T) *order.Order {
	if rapid.IntRange(0, 5).Draw(t, "multi-leg") == 0 {
		return drawSpread(t)
	}
	o := &order.Order{
		Symbol:      rapid.SampledFrom([]string{"AAPL", "BRK.B", "ETHUSD", "904837e3-3b76-47ec-b432-046db621571b"}).Draw(t, "symbol"),
		Side:        rapid.SampledFrom([]order.Side{order.Buy, order.Sell}).Draw(t, "side"),
		Type:        rapid.SampledFrom([]order.Type{order.Market, order.Limit, order.Stop, order.StopLimit, order.TrailingStop}).Draw(t, "type"),
		TimeInForce: order.Day,
	}
	price := func(what string) *decimal.Decimal { return drawNumber(t, what, 0) } // whole: fine for any asset
	if o.Type == order.Limit || o.Type == order.StopLimit {
		o.LimitPrice = price("limit")
	}
	if o.Type == order.Stop || o.Type == order.StopLimit {
		o.StopPrice = price("stop")
	}
	if o.Type == order.TrailingStop {
		o.TrailPercent = drawNumber(t, "trail", 9)
	}
	if rapid.Bool().Draw(t, "simple") {
		o.Qty = drawNumber(t, "qty", 9)
		o.ExtendedHours = o.Type == order.Limit && rapid.Bool().Draw(t, "extended hours")
		return o
	}
	o.Qty, o.OrderClass = price("qty"), order.Bracket
	high, low := price("high"), price("low")
	*high = high.Add(*low)
	if o.Side == order.Sell {
		high, low = low, high
	}
	o.TakeProfit, o.StopLoss = &order.TakeProfit{LimitPrice: high}, &order.StopLoss{StopPrice: low}
	return o
}

func drawSpread(t *rapid.T) *order.Order {
	one, credit := decimal.New(1, 0), drawNumber(t, "credit", 2).Neg()
	o := &order.Order{OrderClass: order.MultiLeg, Type: order.Limit, TimeInForce: order.Day, Qty: drawNumber(t, "qty", 0), LimitPrice: &credit}
	for i := range rapid.IntRange(2, 4).Draw(t, "legs") {
		o.Legs = append(o.Legs, order.Leg{Symbol: fmt.Sprintf("AAPL271217C00%d000", 100+i), RatioQty: &one, Side: order.Buy, PositionIntent: order.BuyToOpen})
	}
	return o
}
