package paper

import (
	"time"
	"unicode/utf8"
)

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[from:i]...), `\ufffd`...)
				from = i + 1
			}
			i += n
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			b = append(b, s[from:i]...)
			if c < ' ' {
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
			} else {
				b = append(b, '\\', c)
			}
			from = i + 1
		}
		i++
	}
	return append(append(b, s[from:]...), '"')
}

// The field functions append `,"name":value`; a name is plain ASCII.

func appendName(b []byte, name string) []byte {
	return append(append(append(b, `,"`...), name...), `":`...)
}

func fieldString(b []byte, name, s string) []byte { return appendString(appendName(b, name), s) }

// fieldText is null if s is empty.
func fieldText(b []byte, name, s string) []byte {
	if s == "" {
		return append(appendName(b, name), "null"...)
	}
	return fieldString(b, name, s)
}

func fieldNum(b []byte, name string, d num) []byte {
	b = append(appendName(b, name), '"')
	return append(append(b, d.String()...), '"')
}

// fieldOpt is null if d is absent.
func fieldOpt(b []byte, name string, d opt) []byte {
	if !d.Valid {
		return append(appendName(b, name), "null"...)
	}
	return fieldNum(b, name, d.Decimal)
}

// fieldTime is null if it never was.
func fieldTime(b []byte, name string, s stamp) []byte {
	if s == 0 {
		return append(appendName(b, name), "null"...)
	}
	b = append(appendName(b, name), '"')
	return append(s.time().AppendFormat(b, time.RFC3339Nano), '"')
}

func fieldBool(b []byte, name string, v bool) []byte {
	if v {
		return append(appendName(b, name), "true"...)
	}
	return append(appendName(b, name), "false"...)
}

// appendOrder appends an order as the API shows it, with its legs if nested.
func appendOrder(b []byte, o *order, nested bool) []byte {
	b = appendString(append(b, `{"id":`...), o.id)
	b = fieldString(b, "client_order_id", o.clientID)
	b = fieldTime(b, "created_at", o.created)
	b = fieldTime(b, "updated_at", o.updated)
	b = fieldTime(b, "submitted_at", o.submitted)
	b = fieldTime(b, "expires_at", o.expires)
	b = fieldTime(b, "filled_at", o.filledAt)
	b = fieldTime(b, "expired_at", o.expiredAt)
	b = fieldTime(b, "canceled_at", o.canceledAt)
	b = fieldTime(b, "failed_at", o.failedAt)
	b = fieldTime(b, "replaced_at", o.replacedAt)
	b = fieldText(b, "replaced_by", o.replacedBy)
	b = fieldText(b, "replaces", o.replaces)
	if o.asset == nil {
		b = append(b, `,"asset_id":"","symbol":"","asset_class":""`...)
	} else {
		b = fieldString(b, "asset_id", o.asset.id)
		b = fieldString(b, "symbol", o.asset.symbol)
		b = fieldString(b, "asset_class", o.asset.class)
	}
	b = fieldOpt(b, "notional", o.notional)
	b = fieldOpt(b, "qty", o.qty)
	b = fieldNum(b, "filled_qty", o.filledQty)
	b = fieldOpt(b, "filled_avg_price", o.average())
	b = fieldString(b, "order_class", o.class)
	b = fieldString(b, "order_type", o.typ)
	b = fieldString(b, "type", o.typ)
	b = fieldString(b, "side", o.side)
	if o.intent != "" {
		b = fieldString(b, "position_intent", o.intent)
	}
	b = fieldString(b, "time_in_force", o.tif)
	b = fieldOpt(b, "limit_price", o.limit)
	b = fieldOpt(b, "stop_price", o.stop)
	b = fieldString(b, "status", string(o.status))
	b = fieldBool(b, "extended_hours", o.extended)
	b = appendLegs(b, o, nested)
	b = fieldOpt(b, "trail_percent", o.trailPercent)
	b = fieldOpt(b, "trail_price", o.trailPrice)
	b = fieldOpt(b, "hwm", o.hwm)
	if o.ratio.Valid {
		b = fieldOpt(b, "ratio_qty", o.ratio)
	}
	return append(b, `,"subtag":null,"source":null}`...)
}

func appendLegs(b []byte, o *order, nested bool) []byte {
	b = appendName(b, "legs")
	if !nested || len(o.legs) == 0 {
		return append(b, "null"...)
	}
	for i, leg := range o.legs {
		if i == 0 {
			b = append(b, '[')
		} else {
			b = append(b, ',')
		}
		b = appendOrder(b, leg, true)
	}
	return append(b, ']')
}

// appendOrders appends a list of orders.
func appendOrders(b []byte, orders []*order, nested bool) []byte {
	b = append(b, '[')
	for i, o := range orders {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendOrder(b, o, nested)
	}
	return append(b, ']')
}
