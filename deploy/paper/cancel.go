package paper

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// cancel answers DELETE /v2/orders/{id}.
func (b *Broker) cancel(c *call, id string) *answer {
	a := c.account
	a.mu.Lock()
	defer a.mu.Unlock()
	o := a.byID[id]
	if o == nil {
		return notFound("order not found for " + id)
	}
	if o.status.over() {
		return isOver(o)
	}
	if o.parent != nil && o.class == classMultiLg {
		o = o.parent
	}
	a.end(o, canceled, c.received)
	return &answer{status: http.StatusNoContent}
}

// isOver refuses to change an order that can change no more.
func isOver(o *order) *answer {
	return refuse(http.StatusUnprocessableEntity, codeState, fmt.Sprintf("order is already in %q state", o.status))
}

// cancelAll answers DELETE /v2/orders.
func (b *Broker) cancelAll(c *call) *answer {
	a := c.account
	a.mu.Lock()
	defer a.mu.Unlock()
	return &answer{status: http.StatusMultiStatus, body: a.cancelOpen(c.received)}
}

// cancelOpen cancels all open orders of a locked account, legs with their parents, and
// returns the list of them.
func (a *account) cancelOpen(at stamp) []byte {
	b := []byte{'['}
	for _, o := range slices.Clone(a.open) {
		if o.status.over() || o.parent != nil && !o.parent.status.over() {
			continue
		}
		a.end(o, canceled, at)
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"id":`...), o.id)
		b = strconv.AppendInt(append(b, `,"status":`...), http.StatusOK, 10)
		b = append(b, '}')
	}
	return append(b, ']')
}
