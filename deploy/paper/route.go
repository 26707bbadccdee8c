package paper

import (
	"net/http"
	"strings"
)

// route answers a call by what its path and method ask for.
func (b *Broker) route(c *call) *answer {
	rest, ok := strings.CutPrefix(c.path, "/v2/")
	if !ok {
		return notFound("endpoint not found")
	}
	noun, name, _ := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	switch noun {
	case "orders":
		return b.routeOrders(c, name)
	case "orders:by_client_order_id":
		return get(c, func() *answer { return c.account.lookupClient(c.query, c.read) })
	case "positions":
		return b.routePositions(c, name)
	case "account":
		return b.routeAccount(c, name)
	case "assets":
		return get(c, func() *answer { return b.assets(c, name) })
	case "clock":
		return get(c, b.clockNow)
	case "calendar":
		return get(c, func() *answer { return calendar(c.query) })
	}
	return notFound("endpoint not found")
}

func (b *Broker) routeOrders(c *call, id string) *answer {
	switch {
	case id == "" && c.method == http.MethodPost:
		return b.place(c)
	case id == "" && c.method == http.MethodGet:
		return c.account.list(c.query)
	case id == "" && c.method == http.MethodDelete:
		return b.cancelAll(c)
	case id != "" && c.method == http.MethodGet:
		return c.account.lookup(id, c.read)
	case id != "" && c.method == http.MethodPatch:
		return b.replace(c, id)
	case id != "" && c.method == http.MethodDelete:
		return b.cancel(c, id)
	}
	return methodNotAllowed()
}

func (b *Broker) routePositions(c *call, symbol string) *answer {
	switch {
	case symbol == "" && c.method == http.MethodGet:
		return c.account.listPositions()
	case symbol == "" && c.method == http.MethodDelete:
		return b.closeAll(c)
	case symbol != "" && c.method == http.MethodGet:
		return b.position(c, symbol)
	case symbol != "" && c.method == http.MethodDelete:
		return b.closePosition(c, symbol)
	}
	return methodNotAllowed()
}

func (b *Broker) routeAccount(c *call, name string) *answer {
	name, kind, _ := strings.Cut(name, "/")
	switch {
	case name == "":
		return get(c, c.account.show)
	case name == "configurations" && c.method == http.MethodPatch:
		return c.account.configure(c.body)
	case name == "configurations":
		return get(c, c.account.showConfiguration)
	case name == "activities":
		return get(c, func() *answer { return c.account.activities(kind, c.query) })
	}
	return notFound("endpoint not found")
}

// get answers only to GET.
func get(c *call, answer func() *answer) *answer {
	if c.method != http.MethodGet {
		return methodNotAllowed()
	}
	return answer()
}

func methodNotAllowed() *answer {
	return refuse(http.StatusMethodNotAllowed, 40510000, "method not allowed")
}
