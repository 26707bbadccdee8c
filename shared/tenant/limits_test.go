package tenant_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/shopspring/decimal"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

func dec(s string) *decimal.Decimal { return new(decimal.RequireFromString(s)) }

// someLimits draws limits, each field set or not.
func someLimits(t *rapid.T) tenant.Limits {
	number := rapid.Map(rapid.IntRange(0, 3), func(n int) *decimal.Decimal {
		if n == 0 {
			return nil
		}
		return new(decimal.New(int64(n), 0))
	})
	few := rapid.IntRange(0, 3)
	list := rapid.Map(rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"A", "B", "C"}), 0, 3, rapid.ID), func(l []string) []string {
		if len(l) == 0 {
			return nil
		}
		return l
	})
	return tenant.Limits{
		MaxQty: number.Draw(t, "qty"), Credit: number.Draw(t, "credit"), CollarPercent: number.Draw(t, "collar"),
		OrdersPerDay: few.Draw(t, "orders"), OpenOrders: few.Draw(t, "open"), MaxBacklog: few.Draw(t, "backlog"),
		PriceMaxAge: tenant.Duration(few.Draw(t, "age")), DuplicateWindow: tenant.Duration(few.Draw(t, "window")),
		Allowed: list.Draw(t, "allowed"), Restricted: list.Draw(t, "restricted"), NoShort: rapid.Bool().Draw(t, "no short"),
	}
}

// TestTightestWins: merged limits allow what both allow, and in whatever order they are merged.
func TestTightestWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := someLimits(t), someLimits(t)
		m, n := a.And(b), b.And(a)
		x := decimal.New(int64(rapid.IntRange(1, 4).Draw(t, "x")), 0)
		symbol := rapid.SampledFrom([]string{"A", "B", "C", "D"}).Draw(t, "symbol")
		within := func(limit *decimal.Decimal) bool { return limit == nil || !x.GreaterThan(*limit) }
		under := func(limit int) bool { return limit == 0 || x.IntPart() <= int64(limit) }
		tradable := func(l tenant.Limits) bool {
			return (l.Allowed == nil || slices.Contains(l.Allowed, symbol)) && !slices.Contains(l.Restricted, symbol)
		}
		for what, allows := range map[string]func(tenant.Limits) bool{
			"qty":        func(l tenant.Limits) bool { return within(l.MaxQty) },
			"credit":     func(l tenant.Limits) bool { return within(l.Credit) },
			"collar":     func(l tenant.Limits) bool { return within(l.CollarPercent) },
			"orders":     func(l tenant.Limits) bool { return under(l.OrdersPerDay) },
			"open":       func(l tenant.Limits) bool { return under(l.OpenOrders) },
			"backlog":    func(l tenant.Limits) bool { return under(l.MaxBacklog) },
			"age":        func(l tenant.Limits) bool { return under(int(l.PriceMaxAge)) },
			"duplicates": func(l tenant.Limits) bool { return x.IntPart() > int64(l.DuplicateWindow) },
			"symbol":     tradable,
			"short":      func(l tenant.Limits) bool { return !l.NoShort },
		} {
			if want := allows(a) && allows(b); allows(m) != want || allows(n) != want {
				t.Errorf("%s: %+v and %+v came to %+v and %+v", what, a, b, m, n)
			}
		}
	})
}

// TestNothingIsAllowed: lists that have nothing in common allow nothing, also on the wire.
func TestNothingIsAllowed(t *testing.T) {
	l := tenant.Limits{Allowed: []string{"A"}}.And(tenant.Limits{Allowed: []string{"B"}})
	data, err := json.Marshal(l)
	if err != nil || string(data) != `{"allowed":[]}` {
		t.Errorf("%s, %v", data, err)
	}
	var back tenant.Limits
	if err := json.Unmarshal(data, &back); err != nil || back.Allowed == nil {
		t.Errorf("%+v, %v", back, err)
	}
}

// TestLimitsOnTheWire: they are the same in JSON and in YAML, and exact.
func TestLimitsOnTheWire(t *testing.T) {
	want := tenant.Limits{
		MaxQty: dec("0.000000001"), Credit: dec("100000000000.01"), OrdersPerSecond: 3, Allowed: []string{"AAPL", "BTC/USD"}, NoShort: true,
		Types: []order.Type{order.Limit}, DuplicateWindow: tenant.Duration(90 * time.Second),
		Hours: []tenant.Hours{{Zone: "America/New_York", Days: "mon-fri", From: "09:30", Until: "16:00"}},
	}
	for name, wire := range map[string]struct {
		out func(any) ([]byte, error)
		in  func([]byte, any) error
	}{
		"JSON": {
			func(v any) ([]byte, error) { return json.Marshal(v, order.Decimals()) },
			func(data []byte, v any) error { return json.Unmarshal(data, v, order.Decimals()) },
		},
		"YAML": {yaml.Marshal, yaml.Unmarshal},
	} {
		data, err := wire.out(want)
		if err != nil {
			t.Fatal(err)
		}
		var got tenant.Limits
		if err := wire.in(data, &got); err != nil {
			t.Fatalf("%s: %s: %v", name, data, err)
		}
		again, err := wire.out(got)
		if err != nil || string(again) != string(data) || !got.MaxQty.Equal(*want.MaxQty) || !got.Credit.Equal(*want.Credit) {
			t.Errorf("%s: %s came back as %s (%v)", name, data, again, err)
		}
	}
}

func TestHours(t *testing.T) {
	market := tenant.Hours{Zone: "America/New_York", Days: "mon-fri", From: "09:30", Until: "16:00"}
	for _, test := range []struct {
		name  string
		hours tenant.Hours
		at    string
		open  bool
	}{
		{"before the open", market, "2026-11-25T14:29:59Z", false},
		{"the open", market, "2026-11-25T14:30:00Z", true},
		{"the open, in summer", market, "2026-07-01T13:30:00Z", true},
		{"the close", market, "2026-11-25T21:00:00Z", false},
		{"a Saturday", market, "2026-11-28T15:00:00Z", false},
		{"over the week's end", tenant.Hours{Zone: "UTC", Days: "fri-mon", From: "00:00", Until: "24:00"}, "2026-11-29T23:59:59Z", true},
		{"not over the week's end", tenant.Hours{Zone: "UTC", Days: "fri-mon", From: "00:00", Until: "24:00"}, "2026-12-01T00:00:00Z", false},
		{"some days", tenant.Hours{Zone: "UTC", Days: "tue, thu", From: "00:00", Until: "24:00"}, "2026-11-26T12:00:00Z", true},
		{"no such zone", tenant.Hours{Zone: "Mars", Days: "mon-sun", From: "00:00", Until: "24:00"}, "2026-11-26T12:00:00Z", false},
	} {
		at, err := time.Parse(time.RFC3339, test.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := test.hours.Open(at); got != test.open {
			t.Errorf("%s: open %t", test.name, got)
		}
	}
}

func TestLimitsRefuse(t *testing.T) {
	for field, l := range map[string]tenant.Limits{
		"max_qty:":         {MaxQty: dec("0")},
		"credit:":          {Credit: dec("-1")},
		"notional_per_day": {NotionalPerDay: new(decimal.New(1, 999))},
		"open_orders:":     {OpenOrders: -1},
		"allowed:":         {Allowed: []string{"A B"}},
		"hours[0].zone":    {Hours: []tenant.Hours{{}}},
		"hours[1].until": {Hours: []tenant.Hours{
			{Zone: "UTC", Days: "mon", From: "00:00", Until: "24:00"}, {Zone: "UTC", Days: "mon", From: "10:00", Until: "09:00"},
		}},
	} {
		if err := l.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestMode(t *testing.T) {
	now := time.Now()
	past, future := now.Add(-time.Second), now.Add(time.Second)
	for name, test := range map[string]struct {
		switches []tenant.Switch
		want     tenant.Mode
	}{
		"none":                    {nil, tenant.Run},
		"one":                     {[]tenant.Switch{{Mode: tenant.Pause}}, tenant.Pause},
		"the tightest":            {[]tenant.Switch{{Mode: tenant.ReduceOnly}, {Mode: tenant.Halt}, {Mode: tenant.Pause}}, tenant.Halt},
		"run lifts no other":      {[]tenant.Switch{{Mode: tenant.Run}, {Mode: tenant.ReduceOnly}}, tenant.ReduceOnly},
		"over":                    {[]tenant.Switch{{Mode: tenant.Halt, Until: past}}, tenant.Run},
		"over, with another left": {[]tenant.Switch{{Mode: tenant.Halt, Until: now}, {Mode: tenant.Pause, Until: future}}, tenant.Pause},
	} {
		terms := tenant.Terms{Switches: test.switches}
		if got := terms.Mode(now); got != test.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
