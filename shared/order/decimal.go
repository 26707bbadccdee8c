package order

import (
	"fmt"

	"github.com/shopspring/decimal"
)

// Bounds of a number on the wire. A short text like 1e999999999 is a valid decimal that
// would fill the memory when written out; nothing is computed with a number before it
// is known to be within these.
const (
	maxDigits   = 36
	maxExponent = 18
)

func bounded(field string, d decimal.Decimal) error {
	if e := d.Exponent(); e < -maxExponent || e > maxExponent {
		return &FieldError{field, fmt.Sprintf("has more than %d digits before or after the point", maxExponent)}
	}
	if d.NumDigits() > maxDigits {
		return &FieldError{field, fmt.Sprintf("has more than %d digits", maxDigits)}
	}
	return nil
}

// decimals yields every number of an order that is there, with the name of its field.
func (o *Order) decimals(yield func(field string, d *decimal.Decimal) bool) {
	all := []named{
		{"qty", o.Qty},
		{"notional", o.Notional},
		{"limit_price", o.LimitPrice},
		{"stop_price", o.StopPrice},
		{"trail_price", o.TrailPrice},
		{"trail_percent", o.TrailPercent},
		{"trail", o.Trail},
	}
	if t := o.TakeProfit; t != nil {
		all = append(all, named{"take_profit.limit_price", t.LimitPrice})
	}
	if s := o.StopLoss; s != nil {
		all = append(all, named{"stop_loss.stop_price", s.StopPrice}, named{"stop_loss.limit_price", s.LimitPrice})
	}
	for i := range o.Legs {
		all = append(all, named{fmt.Sprintf("legs.%d.ratio_qty", i), o.Legs[i].RatioQty})
	}
	if a := o.AdvancedInstructions; a != nil {
		all = append(all,
			named{"advanced_instructions.display_qty", a.DisplayQty},
			named{"advanced_instructions.max_percentage", a.MaxPercentage})
	}
	present(all, yield)
}

// decimals yields every number of an update that is there, with the name of its field.
func (u *Update) decimals(yield func(field string, d *decimal.Decimal) bool) {
	present([]named{
		{"price", u.Price},
		{"qty", u.Qty},
		{"position_qty", u.PositionQty},
		{"filled_qty", u.FilledQty},
		{"filled_avg_price", u.FilledAvgPrice},
	}, yield)
}

type named struct {
	field string
	value *decimal.Decimal
}

func present(all []named, yield func(string, *decimal.Decimal) bool) {
	for _, n := range all {
		if n.value != nil && !yield(n.field, n.value) {
			return
		}
	}
}
