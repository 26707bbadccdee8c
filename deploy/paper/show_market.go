package paper

import (
	"net/http"
	"time"
)

// assets answers GET /v2/assets and /v2/assets/{symbol or id}, where a pair has its
// slash in the path.
func (b *Broker) assets(c *call, name string) *answer {
	if name != "" {
		as := b.market.find(upper(name), c.received.time())
		if as == nil {
			as = b.market.find(name, c.received.time())
		}
		if as == nil {
			return notFound("asset not found for " + name)
		}
		return &answer{status: http.StatusOK, body: as.append(nil)}
	}
	class, exchange, status := c.query.Get("asset_class"), c.query.Get("exchange"), c.query.Get("status")
	body := []byte{'['}
	for _, as := range b.market.listed {
		if class != "" && as.class != class || exchange != "" && as.exchange != exchange || status == "inactive" {
			continue
		}
		if len(body) > 1 {
			body = append(body, ',')
		}
		body = as.append(body)
	}
	return &answer{status: http.StatusOK, body: append(body, ']')}
}

// append appends an asset as the API shows it.
func (a *asset) append(b []byte) []byte {
	b = appendString(append(b, `{"id":`...), a.id)
	b = fieldString(b, "class", a.class)
	b = fieldString(b, "exchange", a.exchange)
	b = fieldString(b, "symbol", a.symbol)
	b = fieldString(b, "name", a.name)
	b = append(b, `,"status":"active","tradable":true`...)
	b = fieldBool(b, "marginable", a.class == equity) //nolint:misspell // Alpaca\'s word
	b = fieldBool(b, "shortable", a.shortable)
	b = fieldBool(b, "easy_to_borrow", a.shortable)
	b = fieldBool(b, "fractionable", a.fractionable)
	switch a.class {
	case equity:
		b = append(b, `,"borrow_status":"easy_to_borrow","maintenance_margin_requirement":100,"margin_requirement_long":"100","margin_requirement_short":"100","attributes":["has_options"]`...)
	case crypto:
		b = append(b, `,"min_order_size":"0.000000001","min_trade_increment":"0.000000001","price_increment":"0.000000001"`...)
	}
	return append(b, '}')
}

// clockNow answers GET /v2/clock.
func (b *Broker) clockNow() *answer {
	now := b.now()
	open := b.session.isOpen(now)
	next := b.session.day(now)
	nextOpen, nextClose := next.open, next.close
	at := stampOf(now)
	if nextOpen <= at || nextClose <= at {
		after := b.session.dayAfter(now)
		if nextOpen <= at {
			nextOpen = after.open
		}
		if nextClose <= at {
			nextClose = after.close
		}
	}
	body := now.In(newYork).AppendFormat([]byte(`{"timestamp":"`), time.RFC3339Nano)
	body = fieldBool(append(body, '"'), "is_open", open)
	for _, next := range []struct {
		name string
		at   stamp
	}{{"next_open", nextOpen}, {"next_close", nextClose}} {
		body = append(appendName(body, next.name), '"')
		body = append(next.at.time().In(newYork).AppendFormat(body, time.RFC3339), '"')
	}
	return &answer{status: http.StatusOK, body: append(body, '}')}
}
