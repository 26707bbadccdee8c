package tenant

import (
	"fmt"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// Limits bound what a tenant's orders may be, after the controls that SEC rule 15c3-5 (17 CFR
// 240.15c3-5) names for market access. A zero field is no limit. What each means is the
// table of package worker/risk.
type Limits struct {
	// MaxQty and MaxNotional bound one order: in shares or contracts, in dollars.
	MaxQty      *decimal.Decimal `json:"max_qty,omitzero" yaml:"max_qty,omitempty"`
	MaxNotional *decimal.Decimal `json:"max_notional,omitzero" yaml:"max_notional,omitempty"`

	// Orders and their worth in dollars that may go to the broker in any second, in any
	// minute, and in a trading day (a calendar day in New York).
	OrdersPerSecond   int              `json:"orders_per_second,omitzero" yaml:"orders_per_second,omitempty"`
	OrdersPerMinute   int              `json:"orders_per_minute,omitzero" yaml:"orders_per_minute,omitempty"`
	OrdersPerDay      int              `json:"orders_per_day,omitzero" yaml:"orders_per_day,omitempty"`
	NotionalPerSecond *decimal.Decimal `json:"notional_per_second,omitzero" yaml:"notional_per_second,omitempty"`
	NotionalPerMinute *decimal.Decimal `json:"notional_per_minute,omitzero" yaml:"notional_per_minute,omitempty"`
	NotionalPerDay    *decimal.Decimal `json:"notional_per_day,omitzero" yaml:"notional_per_day,omitempty"`

	// OpenOrders bounds how many orders are open, or may be.
	OpenOrders int `json:"open_orders,omitzero" yaml:"open_orders,omitempty"`
	// Credit bounds, in dollars, what open and unknown orders and the trading day's purchases,
	// less its sales, may come to.
	Credit *decimal.Decimal `json:"credit,omitzero" yaml:"credit,omitempty"`

	// CollarPercent is how far, in percent, a price may be on the wrong side of the
	// reference price, which may be PriceMaxAge old (0: a minute). Without one nothing passes.
	CollarPercent *decimal.Decimal `json:"collar_percent,omitzero" yaml:"collar_percent,omitempty"`
	PriceMaxAge   Duration         `json:"price_max_age,omitzero" yaml:"price_max_age,omitempty"`

	// Allowed are the only symbols that may be traded, Restricted those that may not.
	Allowed    []string `json:"allowed,omitzero" yaml:"allowed,omitempty"`
	Restricted []string `json:"restricted,omitzero" yaml:"restricted,omitempty"`
	// NoShort lets nothing be sold that the account does not hold.
	NoShort bool `json:"no_short,omitzero" yaml:"no_short,omitempty"`
	// Types are the only types of orders that may be placed.
	Types []order.Type `json:"types,omitzero" yaml:"types,omitempty"`
	// Hours are when orders may be placed; all of them must hold.
	Hours []Hours `json:"hours,omitzero" yaml:"hours,omitempty"`
	// DuplicateWindow is for how long no order may have the symbol, side and size of another.
	DuplicateWindow Duration `json:"duplicate_window,omitzero" yaml:"duplicate_window,omitempty"`

	// MaxBacklog bounds how many intents may wait when another one is published, and
	// PublishesPerMinute how many are published in any minute: what is beyond is refused.
	MaxBacklog         int `json:"max_backlog,omitzero" yaml:"max_backlog,omitempty"`
	PublishesPerMinute int `json:"publishes_per_minute,omitzero" yaml:"publishes_per_minute,omitempty"`
}

// Duration is written as 1m30s.
type Duration time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration as 1m30s", text)
	}
	*d = Duration(parsed)
	return nil
}

// Hours are the times of a week, on the clock of a place.
type Hours struct {
	Zone string `json:"zone" yaml:"zone"` // as America/New_York
	// Days are mon, tue, wed, thu, fri, sat, sun, or ranges as mon-fri.
	Days string `json:"days" yaml:"days"`
	// From is the first minute, as 09:30; Until the first one that no longer belongs, up to
	// 24:00.
	From  string `json:"from" yaml:"from"`
	Until string `json:"until" yaml:"until"`
}

// And merges limits: of each field the tighter one holds.
func (l Limits) And(m Limits) Limits {
	return Limits{
		MaxQty:             lower(l.MaxQty, m.MaxQty),
		MaxNotional:        lower(l.MaxNotional, m.MaxNotional),
		OrdersPerSecond:    least(l.OrdersPerSecond, m.OrdersPerSecond),
		OrdersPerMinute:    least(l.OrdersPerMinute, m.OrdersPerMinute),
		OrdersPerDay:       least(l.OrdersPerDay, m.OrdersPerDay),
		NotionalPerSecond:  lower(l.NotionalPerSecond, m.NotionalPerSecond),
		NotionalPerMinute:  lower(l.NotionalPerMinute, m.NotionalPerMinute),
		NotionalPerDay:     lower(l.NotionalPerDay, m.NotionalPerDay),
		OpenOrders:         least(l.OpenOrders, m.OpenOrders),
		Credit:             lower(l.Credit, m.Credit),
		CollarPercent:      lower(l.CollarPercent, m.CollarPercent),
		PriceMaxAge:        least(l.PriceMaxAge, m.PriceMaxAge),
		Allowed:            both(l.Allowed, m.Allowed),
		Restricted:         either(l.Restricted, m.Restricted),
		NoShort:            l.NoShort || m.NoShort,
		Types:              both(l.Types, m.Types),
		Hours:              slices.Concat(l.Hours, m.Hours),
		DuplicateWindow:    max(l.DuplicateWindow, m.DuplicateWindow),
		MaxBacklog:         least(l.MaxBacklog, m.MaxBacklog),
		PublishesPerMinute: least(l.PublishesPerMinute, m.PublishesPerMinute),
	}
}

// least is the smaller one, of those that are set.
func least[N int | Duration](a, b N) N {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func lower(a, b *decimal.Decimal) *decimal.Decimal {
	if a == nil || b != nil && b.LessThan(*a) {
		return b
	}
	return a
}

// both is what two lists of what is allowed have in common; an empty one allows all. If
// they have nothing in common, nothing is allowed: the list is then empty, and not nil.
func both[T comparable](a, b []T) []T {
	if a == nil || b == nil {
		return append(a, b...)
	}
	common := make([]T, 0)
	for _, x := range a {
		if slices.Contains(b, x) {
			common = append(common, x)
		}
	}
	return common
}

func either[T comparable](a, b []T) []T {
	all := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	return all
}
