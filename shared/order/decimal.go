package order

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/shopspring/decimal"
)

// Bounds of a number on the wire. A short text like 1e999999999 is a valid decimal that
// would fill the memory when written out; nothing is computed with a number before it
// is known to be within these.
const (
	maxInteger  = 18 // digits before the point
	maxDecimals = 18 // digits after it
	maxNumber   = 64 // bytes of text
)

var errUnbounded = fmt.Errorf("has more than %d digits before the point or %d after it", maxInteger, maxDecimals)

// bounded says whether a number can be computed with and written out. It costs the same
// for every number.
func bounded(d decimal.Decimal) error {
	if e := d.Exponent(); e < -maxDecimals || e > maxInteger || d.NumDigits()+int(e) > maxInteger {
		return errUnbounded
	}
	return nil
}

// ValidDecimal says that a number is one that can be computed with and written out.
func ValidDecimal(d decimal.Decimal) error { return bounded(d) }

// parseDecimal reads a number as JSON writes it, never through a float.
func parseDecimal(s string) (decimal.Decimal, error) {
	if len(s) > maxNumber {
		return decimal.Decimal{}, errUnbounded
	}
	if !isNumber(s) {
		return decimal.Decimal{}, fmt.Errorf("%q is no decimal number, as \"12.5\"", clipped(s))
	}
	d, err := decimal.NewFromString(s)
	if err != nil { // an exponent past its own bounds
		return decimal.Decimal{}, errUnbounded
	}
	return d, bounded(d)
}

// isNumber checks for -?digits[.digits][e[+-]digits]. The decimal package itself takes
// odder things: it reads ".+5" as 0.05.
func isNumber(s string) bool {
	digits := func() bool {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	next := func(any string) bool {
		for i := range any {
			if s != "" && s[0] == any[i] {
				s = s[1:]
				return true
			}
		}
		return false
	}
	next("-")
	if !digits() || next(".") && !digits() {
		return false
	}
	if next("eE") {
		next("+-")
		if !digits() {
			return false
		}
	}
	return s == ""
}

// readDecimals and writeDecimals are how every number crosses the wire: read from a
// string or a number, written as a string without an exponent. The decimal package's own
// methods depend on its global variables.
var (
	readDecimals = json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, into *decimal.Decimal) error {
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if kind := token.Kind(); kind != '"' && kind != '0' {
			return errors.New("cannot be " + jsonKinds[kind])
		}
		*into, err = parseDecimal(token.String())
		return err
	}))
	writeDecimals = json.WithMarshalers(json.MarshalToFunc(func(enc *jsontext.Encoder, d decimal.Decimal) error {
		if err := bounded(d); err != nil {
			return err
		}
		return enc.WriteToken(jsontext.String(text(d)))
	}))
)

// Decimals are the options of the JSON library with which every number crosses the wire: read
// from a string or a number within bounds, written as a string.
func Decimals() json.Options { return json.JoinOptions(readDecimals, writeDecimals) }

// text writes a number without exponent and without zeros at its end, whatever the
// decimal package's global variables say.
func text(d decimal.Decimal) string {
	s := d.StringFixed(max(0, -d.Exponent()))
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// decimals yields every number of an order that is there, with the name of its field.
func (o *Order) decimals(yield func(field string, d *decimal.Decimal) bool) {
	type named struct {
		field string
		value *decimal.Decimal
	}
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
	for _, n := range all {
		if n.value != nil && !yield(n.field, n.value) {
			return
		}
	}
}
