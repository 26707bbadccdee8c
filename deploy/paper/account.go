package paper

import (
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// account is all that one API key owns, or one account of a correspondent: its key is then
// its id, and it has no secret. mu guards everything below it, and the orders.
type account struct {
	key, secret, id, accountNumber string
	owner                          *correspondent // nil for one that a key of its own opens
	opened                         time.Time

	mu        sync.Mutex
	ids       *rand.PCG
	cash      num // can be spent, less what is reserved
	reserved  num // for open orders
	shorted   num // what the short positions were sold for
	positions map[*asset]*position
	stock     map[*asset]num // shares held for open orders
	orders    []*order       // all, in the order of booking, legs behind their parent
	byID      map[string]*order
	byClient  map[string]*order // the last one, if the duplicate check is off
	open      []*order          // those that can still change, and some that no longer can
	closed    int               // how many of open no longer can
	standing  map[interest]int  // how many of open still can
	rate      window
	settings  configuration
	feed      feed
}

// interest is a side of an asset's market.
type interest struct {
	asset *asset
	side  string
}

// position is what an account holds of an asset.
type position struct {
	asset *asset
	qty   num // negative if short
	cost  num // what it was bought for; if short, minus what it was sold for
}

func (b *Broker) newAccount(key, secret string) *account {
	id := stableID("account", key)
	seed := hash("orders", key)
	return &account{
		key: key, secret: secret, id: id, accountNumber: "PA" + strings.ToUpper(id[24:]), opened: b.now(),
		ids: rand.NewPCG(b.seed, seed), cash: b.cash,
		positions: make(map[*asset]*position), stock: make(map[*asset]num),
		byID: make(map[string]*order), byClient: make(map[string]*order), standing: make(map[interest]int),
		settings: defaultConfiguration(),
	}
}

func (a *account) newID() string { return uuid(a.ids.Uint64(), a.ids.Uint64()) }

// buyingPower is the cash that is neither reserved nor security for short positions:
// what they were sold for, and as much again.
func (a *account) buyingPower() num {
	p := a.cash.Sub(a.reserved).Sub(a.shorted).Sub(a.shorted)
	return decimal.Max(p, decimal.Zero)
}

// held returns the quantity held of an asset, negative if short.
func (a *account) held(as *asset) num {
	if p := a.positions[as]; p != nil {
		return p.qty
	}
	return num{}
}

// hold reserves cash and shares for an order, in place of what was reserved before.
func (a *account) hold(o *order, cash, stock num) {
	a.reserved = a.reserved.Sub(o.cash).Add(cash)
	o.cash = cash
	if o.stock.Equal(stock) {
		return
	}
	total := a.stock[o.asset].Sub(o.stock).Add(stock)
	if total.IsZero() {
		delete(a.stock, o.asset)
	} else {
		a.stock[o.asset] = total
	}
	o.stock = stock
}

// release frees what was reserved for an order.
func (a *account) release(o *order) { a.hold(o, num{}, num{}) }

// add takes a new order in. Its client order id counts unless it is a leg of one.
func (a *account) add(o *order) {
	o.seq = len(a.orders)
	a.orders = append(a.orders, o)
	a.byID[o.id] = o
	a.byClient[o.clientID] = o
	a.open = append(a.open, o)
	a.standing[interest{o.asset, o.side}]++
}

// finish ends an order and frees what was reserved for it.
func (a *account) finish(o *order, s status, at stamp) {
	a.release(o)
	o.set(s, at)
	a.closed++
	if of := (interest{o.asset, o.side}); a.standing[of] == 1 {
		delete(a.standing, of)
	} else {
		a.standing[of]--
	}
	if a.closed <= 16 || 2*a.closed <= len(a.open) {
		return
	}
	still := a.open[:0]
	for _, o := range a.open {
		if !o.status.over() {
			still = append(still, o)
		}
	}
	clear(a.open[len(still):])
	a.open, a.closed = still, 0
}

// trade moves cash and position for a fill. Positive quantities are bought.
func (a *account) trade(as *asset, qty, price num) {
	a.cash = a.cash.Sub(as.value(qty, price))
	p := a.positions[as]
	if p == nil {
		p = &position{asset: as}
		a.positions[as] = p
	}
	a.shorted = a.shorted.Sub(p.security())
	switch after := p.qty.Add(qty); {
	case after.IsZero():
		delete(a.positions, as)
		return
	case p.qty.Sign()*qty.Sign() >= 0: // it grows
		p.cost = p.cost.Add(as.value(qty, price))
	case after.Sign() == p.qty.Sign(): // it shrinks: the average entry stays
		p.cost = p.cost.Mul(after).DivRound(p.qty, 9)
	default: // it turns over: what is beyond zero was entered now
		p.cost = as.value(after, price)
	}
	p.qty = p.qty.Add(qty)
	a.shorted = a.shorted.Add(p.security())
}

// security is what a short position was sold for; 0 if it is long.
func (p *position) security() num {
	if p.qty.IsNegative() {
		return p.cost.Neg()
	}
	return num{}
}
