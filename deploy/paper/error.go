package paper

import (
	"net/http"
	"strconv"
)

// answer is what a request is answered with. Its body belongs to it alone.
type answer struct {
	status int
	body   []byte
	after  string // Retry-After
	html   bool
}

// The codes that Alpaca puts into its error bodies. Most of them are generic.
const (
	codeBody      = 40010000
	codeParameter = 40010001
	codeForbidden = 40310000
	codeNotFound  = 40410000
	codeRateLimit = 42910000
	codeState     = 42210000
)

// refuse is an error body of code and message.
func refuse(status, code int, message string) *answer {
	b := append(make([]byte, 0, 64+len(message)), `{"code":`...)
	b = strconv.AppendInt(b, int64(code), 10)
	b = append(b, `,"message":`...)
	b = appendString(b, message)
	return &answer{status: status, body: append(b, '}')}
}

// invalid refuses a parameter.
func invalid(message string) *answer {
	return refuse(http.StatusUnprocessableEntity, codeParameter, message)
}

func notFound(message string) *answer {
	return refuse(http.StatusNotFound, codeNotFound, message)
}

func unauthorized() *answer {
	return &answer{status: http.StatusUnauthorized, body: []byte(`{"message":"unauthorized."}`)}
}

func forbidden() *answer {
	return &answer{status: http.StatusForbidden, body: []byte(`{"message":"forbidden."}`)}
}

func tooMany(after string) *answer {
	a := refuse(http.StatusTooManyRequests, codeRateLimit, "rate limit exceeded")
	a.after = after
	return a
}

// shortOfCash refuses an order that costs more than there is buying power.
func shortOfCash(power, cost num) *answer {
	b := append([]byte(nil), `{"buying_power":"`...)
	b = append(b, power.String()...)
	b = append(b, `","code":40310000,"cost_basis":"`...)
	b = append(b, cost.String()...)
	b = append(b, `","message":"insufficient buying power"}`...)
	return &answer{status: http.StatusForbidden, body: b}
}

// shortOfStock refuses an order over more than is available of a position.
func (a *account) shortOfStock(as *asset, asked num) *answer {
	existing := a.held(as).Abs()
	forOrders := a.stock[as]
	available := existing.Sub(forOrders)
	b := append([]byte(nil), `{"available":"`...)
	b = append(b, available.String()...)
	b = append(b, `","code":40310000,"existing_qty":"`...)
	b = append(b, existing.String()...)
	b = append(b, `","held_for_orders":"`...)
	b = append(b, forOrders.String()...)
	b = append(b, `","message":`...)
	message := "insufficient qty available for order (requested: " + asked.String() + ", available: " + available.String() + ")"
	if as.class == crypto {
		message = "insufficient balance for " + as.symbol + " (requested: " + asked.String() + ", available: " + available.String() + ")"
	}
	b = appendString(b, message)
	b = append(b, `,"related_orders":[`...)
	first := true
	for _, o := range a.open {
		if o.asset != as || o.stock.IsZero() {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendString(b, o.id)
	}
	b = append(b, `],"symbol":`...)
	b = appendString(b, as.symbol)
	return &answer{status: http.StatusForbidden, body: append(b, '}')}
}
