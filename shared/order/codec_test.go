package order_test

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

const valid = `{"id":"i1","kind":"order","expires_at":"2026-11-24T15:00:00Z","order":` +
	`{"symbol":"AAPL","qty":"1","side":"buy","type":"limit","time_in_force":"day","limit_price":"150.25"}}`

// with is the valid intent with one piece of text replaced.
func with(old, new string) string {
	if !strings.Contains(valid, old) {
		panic("no " + old + " in the valid intent")
	}
	return strings.Replace(valid, old, new, 1)
}

func TestDecodeIntentRefuses(t *testing.T) {
	for _, test := range []struct{ name, message, field, problem string }{
		{"nothing", ``, "", "is not JSON"},
		{"null", ` null`, "", "no JSON object"},
		{"an array", `[]`, "", "an array"},
		{"half a message", valid[:40], "expires_at", "is not JSON at byte"},
		{"more after the message", valid + valid, "", "is not JSON at byte"},
		{"an unknown member", with(`"id"`, `"hello":1,"id"`), "hello", "not a known field"},
		{"an unknown member of the order", with(`"symbol"`, `"Symbol":1,"symbol"`), "order.Symbol", "not a known field"},
		{"another case", with(`"id"`, `"ID"`), "ID", "not a known field"},
		{"a member twice", with(`"qty":"1"`, `"qty":"1","qty":"100"`), "order.qty", "stands twice"},
		{"a string that is a number", with(`"i1"`, `1`), "id", "a number"},
		{"no UTF-8", with(`i1`, "i\xff"), "id", "UTF-8"},
		{"a broken escape", with(`i1`, `i\x`), "id", "escape"},
		{"no time", with(`2026-11-24T15:00:00Z`, `tomorrow`), "expires_at", "RFC 3339"},
		{"a time without zone", with(`00:00Z`, `00:00`), "expires_at", "RFC 3339"},
		{"seconds since 1970", with(`"2026-11-24T15:00:00Z"`, `1795532400`), "expires_at", "RFC 3339"},
		{"a symbol of no text", with(`"AAPL"`, `{"a":1}`), "order.symbol", "an object"},
		{"a quantity that is true", with(`"1"`, `true`), "order.qty", "true"},
		{"an empty quantity", with(`"1"`, `""`), "order.qty", "no decimal number"},
		{"a quantity in words", with(`"1"`, `"one"`), "order.qty", "no decimal number"},
		{"infinity", with(`"1"`, `"Inf"`), "order.qty", "no decimal number"},
		{"a comma", with(`"1"`, `"1,5"`), "order.qty", "no decimal number"},
		{"hexadecimal", with(`"1"`, `"0x10"`), "order.qty", "no decimal number"},
		{"a sign after the point", with(`"1"`, `".+5"`), "order.qty", "no decimal number"},
		{"a plus", with(`"1"`, `"+5"`), "order.qty", "no decimal number"},
		{"a space", with(`"1"`, `" 5"`), "order.qty", "no decimal number"},
		{"no digit after the point", with(`"1"`, `"5."`), "order.qty", "no decimal number"},
		{"an exponent without digits", with(`"1"`, `"5e"`), "order.qty", "no decimal number"},
		{"a huge exponent", with(`"1"`, `1e999999999`), "order.qty", "more than 18 digits"},
		{"a huge exponent in a string", with(`"1"`, `"1e999999999"`), "order.qty", "more than 18 digits"},
		{"an exponent past every bound", with(`"1"`, `1e99999999999999999999`), "order.qty", "more than 18 digits"},
		{"a tiny exponent", with(`"1"`, `1e-999999999`), "order.qty", "more than 18 digits"},
		{"nineteen digits", with(`"1"`, `"1000000000000000000"`), "order.qty", "more than 18 digits"},
		{"nineteen digits by exponent", with(`"1"`, `"1e18"`), "order.qty", "more than 18 digits"},
		{"nineteen decimals", with(`"1"`, `"0.0000000000000000001"`), "order.qty", "more than 18 digits"},
		{"a long number", with(`"1"`, strings.Repeat("9", 50_000)), "order.qty", "more than 18 digits"},
		{"a leg's quantity", with(`"symbol"`, `"legs":[{"symbol":"A","ratio_qty":"x"}],"symbol"`), "order.legs.0.ratio_qty", "no decimal number"},
		{"a price of a leg", with(`"symbol"`, `"stop_loss":{"stop_price":"x"},"symbol"`), "order.stop_loss.stop_price", "no decimal number"},
		{"a deep message", with(`"AAPL"`, strings.Repeat("[", 30_000)), "order.symbol.0.0.0.0.0.0", "max depth"},
		{"a message past the bound", with(`AAPL`, strings.Repeat("A", order.MaxMessage)), "", "more than 65536"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := order.DecodeIntent([]byte(test.message))
			field, ok := errors.AsType[*order.FieldError](err)
			if !ok {
				t.Fatalf("got %v, want a FieldError", err)
			}
			if field.Field != test.field || !strings.Contains(field.Problem, test.problem) {
				t.Errorf("got %q: %q, want %q: … %s …", field.Field, field.Problem, test.field, test.problem)
			}
			if len(err.Error()) > 400 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestDecodeIntentTakes(t *testing.T) {
	for _, test := range []struct{ name, message string }{
		{"the valid intent", valid},
		{"space around it", "\r\n\t " + valid + " \n"},
		{"null for what may be absent", with(`"symbol"`, `"notional":null,"stop_loss":null,"legs":null,"extended_hours":null,"position_intent":null,"symbol"`)},
		{"null for an order", `{"id":"i1","kind":"cancel_all","expires_at":"2026-11-24T15:00:00Z","order":null,"target":null,"labels":null}`},
		{"escapes", with(`AAPL`, `\u0041APL`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := order.DecodeIntent([]byte(test.message)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDecimalsAreExact(t *testing.T) {
	for _, test := range []struct{ wire, want string }{
		{`"1"`, "1"},
		{`0.1`, "0.1"},
		{`"0.123456789012345678"`, "0.123456789012345678"},
		{`0.123456789012345678`, "0.123456789012345678"},
		{`"9007199254740993"`, "9007199254740993"}, // no float64 holds it
		{`9007199254740993`, "9007199254740993"},
		{`999999999999999999.999999999999999999`, "999999999999999999.999999999999999999"},
		{`"-1.50"`, "-1.5"},
		{`1e17`, "100000000000000000"},
		{`1.5E+3`, "1500"},
		{`25e-2`, "0.25"},
		{`-0`, "0"},
		{`"\u0031"`, "1"},
	} {
		t.Run(test.wire, func(t *testing.T) {
			in, err := order.DecodeIntent([]byte(with(`"150.25"`, test.wire)))
			if err != nil {
				t.Fatal(err)
			}
			if !in.Order.LimitPrice.Equal(decimal.RequireFromString(test.want)) {
				t.Errorf("read %s", in.Order.LimitPrice)
			}
			data, err := order.EncodeIntent(in)
			if err != nil {
				t.Fatal(err)
			}
			again, err := order.DecodeIntent(data)
			if err != nil {
				t.Fatal(err)
			}
			if !again.Order.LimitPrice.Equal(*in.Order.LimitPrice) {
				t.Errorf("%s became %s", in.Order.LimitPrice, again.Order.LimitPrice)
			}
		})
	}
}

func TestDecimalsAreWrittenAsStrings(t *testing.T) {
	// As other code in the process might.
	decimal.MarshalJSONWithoutQuotes, decimal.UseScientificNotation, decimal.TrimTrailingZeros = true, true, false
	defer func() {
		decimal.MarshalJSONWithoutQuotes, decimal.UseScientificNotation, decimal.TrimTrailingZeros = false, false, true
	}()
	for _, test := range []struct {
		value decimal.Decimal
		want  string
	}{
		{decimal.New(15, 3), `"limit_price":"15000"`},
		{decimal.New(1, -9), `"limit_price":"0.000000001"`},
		{decimal.New(-250, -2), `"limit_price":"-2.5"`},
		{decimal.Decimal{}, `"limit_price":"0"`},
	} {
		data, err := order.EncodeIntent(order.Intent{Order: &order.Order{LimitPrice: &test.value}})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), test.want) {
			t.Errorf("got %s, want %s", data, test.want)
		}
	}
}

func TestHugeNumbersCostNothing(t *testing.T) {
	huge := decimal.New(1, math.MaxInt32)
	intent := order.Intent{ID: "a", Kind: order.KindOrder, ExpiresAt: time.Unix(1, 0), Order: &order.Order{Symbol: "AAPL", Qty: &huge}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := order.DecodeIntent([]byte(with(`"1"`, `1e2147483647`))); err == nil {
		t.Error("decoded")
	}
	if _, err := order.EncodeIntent(intent); err == nil || !strings.Contains(err.Error(), "order.qty: has more than 18 digits") {
		t.Errorf("encode: %v", err)
	}
	if err := intent.Validate(); err == nil || !strings.Contains(err.Error(), "order.qty: has more than 18 digits") {
		t.Errorf("validate: %v", err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

func TestOutcomesAndUpdatesOfANewerWriter(t *testing.T) {
	o, err := order.DecodeOutcome([]byte(`{"v":2,"intent_seq":7,"status":"accepted","worker":"w","epoch":1,"mood":{"good":[1,2]}}`))
	if err != nil || o.IntentSeq != 7 || o.Status != order.Accepted {
		t.Errorf("outcome %+v: %v", o, err)
	}
	u, err := order.DecodeUpdate([]byte(`{"v":2,"event":"fill","broker_order_id":"b","qty":"1.5","at":"2026-11-24T15:00:00Z","mood":"good"}`))
	if err != nil || u.Event != "fill" || u.Qty.String() != "1.5" {
		t.Errorf("update %+v: %v", u, err)
	}
	if _, err := order.DecodeOutcome([]byte(`null`)); err == nil {
		t.Error("null is an outcome")
	}
	if _, err := order.DecodeUpdate([]byte(`{"price":"1e99"}`)); err == nil || !strings.HasPrefix(err.Error(), "price: ") {
		t.Errorf("an update of an absurd price: %v", err)
	}
	if _, err := order.DecodeOutcome([]byte(`{"status":"accepted","status":"failed"}`)); err == nil {
		t.Error("an outcome with two statuses was read")
	}
}

// The broker's words may be any bytes; the outcome has to be written all the same.
func TestOutcomeOfBrokenText(t *testing.T) {
	data, err := order.EncodeOutcome(order.Outcome{Status: order.Rejected, Message: "caf\xe9 \x00 \" }"})
	if err != nil {
		t.Fatal(err)
	}
	o, err := order.DecodeOutcome(data)
	if err != nil {
		t.Fatal(err)
	}
	if want := "caf\ufffd \x00 \" }"; o.Message != want {
		t.Errorf("got %q, want %q", o.Message, want)
	}
}

func TestEncodeRefuses(t *testing.T) {
	if _, err := order.EncodeIntent(order.Intent{Labels: map[string]string{"a": strings.Repeat("x", order.MaxMessage)}}); err == nil {
		t.Error("a message past the bound was written")
	}
	_, err := order.EncodeIntent(order.Intent{Labels: map[string]string{"a": "\xff"}})
	if field, ok := errors.AsType[*order.FieldError](err); !ok || field.Field != "labels.a" {
		t.Errorf("broken text: %v", err)
	}
	late := time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	_, err = order.EncodeIntent(order.Intent{ExpiresAt: late})
	if field, ok := errors.AsType[*order.FieldError](err); !ok || field.Field != "expires_at" {
		t.Errorf("a year of five digits: %v", err)
	}
}

// What is 0 was said, and what was said is written: an order that ended with 0 filled.
func TestZeroIsNotAbsent(t *testing.T) {
	zero := decimal.Decimal{}
	data, err := order.EncodeUpdate(order.Update{FilledQty: &zero})
	if err != nil {
		t.Fatal(err)
	}
	u, err := order.DecodeUpdate(data)
	if err != nil || u.FilledQty == nil || !u.FilledQty.IsZero() || u.Qty != nil {
		t.Errorf("%s was read as %+v: %v", data, u, err)
	}
}

// A symbol cannot leave its string: encoders write it, and validation refuses it.
func TestNoInjection(t *testing.T) {
	const hostile = `AAPL","qty":"1000000`
	one := decimal.New(1, 0)
	in := order.Intent{ID: "i1", Kind: order.KindOrder, ExpiresAt: time.Unix(1e9, 0).UTC(), Order: &order.Order{Symbol: hostile, Qty: &one}}
	data, err := order.EncodeIntent(in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := order.DecodeIntent(data)
	if err != nil {
		t.Fatal(err)
	}
	if again.Order.Symbol != hostile || !again.Order.Qty.Equal(one) {
		t.Errorf("became %+v", again.Order)
	}
	if err := again.Validate(); err == nil || !strings.Contains(err.Error(), "order.symbol: ") {
		t.Errorf("validated: %v", err)
	}
}

func TestPeekID(t *testing.T) {
	for _, test := range []struct{ name, message, want string }{
		{"a valid intent", valid, "i1"},
		{"an unknown member", with(`"id"`, `"x":{"id":"other"},"id"`), "i1"},
		{"a wrong quantity", with(`"1"`, `"one"`), "i1"},
		{"an id at the end", `{"kind":7,"id":"a"}`, "a"},
		{"no id", `{"kind":"order"}`, ""},
		{"an id that cannot be one", `{"id":"a.b"}`, ""},
		{"an id that is a number", `{"id":1}`, ""},
		{"two ids", `{"id":"a","id":"b"}`, ""},
		{"another case", `{"ID":"a"}`, ""},
		{"half a message", `{"id":"a"`, ""},
		{"more after the message", `{"id":"a"}{"id":"b"}`, ""},
		{"no object", `"id"`, ""},
		{"null", `null`, ""},
		{"nothing", ``, ""},
		{"too much", `{"id":"a","x":"` + strings.Repeat("x", order.MaxMessage) + `"}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := order.PeekID([]byte(test.message)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
