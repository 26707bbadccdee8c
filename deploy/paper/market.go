package paper

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// market holds the assets and moves their prices. Each listed asset walks at random
// on its own stream of the seed, so the price after n steps depends on seed, symbol
// and n alone, whatever was traded meanwhile. Options follow their underlying.
//
// Prices are read without a lock; mu guards the map of options, which grows, and
// serialises the writers of prices.
type market struct {
	listed []*asset          // fixed
	known  map[string]*asset // fixed: by symbol, symbol without slash and id

	mu      sync.RWMutex
	walks   []*rand.Rand // of listed, in its order
	options map[string]*asset
}

func newMarket(seed uint64, more []Listing) *market {
	m := &market{known: make(map[string]*asset, 3*len(listings)), options: make(map[string]*asset)}
	for _, l := range listings {
		m.list(seed, l, decimal.RequireFromString(l.price))
	}
	for _, l := range more {
		symbol := upper(l.Symbol)
		if a := m.known[symbol]; a != nil {
			a.price.Store(&l.Price)
			continue
		}
		class, exchange := equity, "NYSE"
		if strings.Contains(symbol, "/") {
			class, exchange = crypto, "CRYPTO"
		}
		m.list(seed, listing{symbol: symbol, name: symbol, class: class, exchange: exchange}, l.Price)
	}
	return m
}

// list makes an asset known.
func (m *market) list(seed uint64, l listing, price num) {
	a := newAsset(l.symbol, l.name, l.class, l.exchange)
	a.price.Store(&price)
	m.listed = append(m.listed, a)
	m.walks = append(m.walks, rand.New(rand.NewPCG(seed, hash(l.symbol))))
	m.known[l.symbol], m.known[plain(l.symbol)], m.known[a.id] = a, a, a
}

// find returns the asset of a symbol, a pair without its slash or an id; nil if there
// is none. Any well-formed option on a listed equity exists until it expires.
func (m *market) find(name string, now time.Time) *asset {
	if a := m.known[name]; a != nil {
		return a
	}
	m.mu.RLock()
	a := m.options[name]
	m.mu.RUnlock()
	if a != nil {
		return a
	}
	root, expiry, put, strike, ok := parseOption(name)
	under := m.known[root]
	if !ok || under == nil || under.class != equity || now.After(expiry.AddDate(0, 0, 1)) {
		return nil
	}
	kind := "Call"
	if put {
		kind = "Put"
	}
	a = newAsset(name, fmt.Sprintf("%s %s %s %s", root, expiry.Format("Jan 02 2006"), strike, kind), option, "")
	a.underlying, a.expiry, a.strike, a.put = under, expiry, strike, put
	a.multiplier = decimal.NewFromInt(100)
	m.mu.Lock()
	defer m.mu.Unlock()
	if other := m.options[name]; other != nil {
		return other
	}
	priceOption(a)
	m.options[name], m.options[a.id] = a, a
	return a
}

// priceOption sets an option to its intrinsic value and a share of its underlying's
// price that shrinks with the distance of the strike: cheap, but it moves the right
// way and is never negative.
func priceOption(a *asset) {
	spot := a.underlying.last()
	inside := spot.Sub(a.strike)
	if a.put {
		inside = inside.Neg()
	}
	time := spot.Div(decimal.NewFromInt(20)).Sub(inside.Abs().Div(decimal.NewFromInt(10)))
	price := decimal.Max(inside, decimal.Zero).Add(decimal.Max(time, decimal.New(5, -2))).Round(2)
	a.price.Store(&price)
}

// step moves every price one step of at most a twentieth of a per cent.
func (m *market) step() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, a := range m.listed {
		old := a.last()
		price := old.Mul(decimal.New(100_000+m.walks[i].Int64N(101)-50, -5))
		price = price.Round(a.places(price))
		if price.IsPositive() {
			a.price.Store(&price)
		}
	}
	m.repriceOptions()
}

func (m *market) repriceOptions() {
	for _, a := range m.options {
		priceOption(a)
	}
}

// errPrice refuses prices that cannot be set.
var errPrice = errors.New("paper: cannot set price")

// set sets prices by symbol; all of them, or none and an error. The walk goes on
// from there. The price of an option holds until its underlying moves.
func (m *market) set(prices map[string]num, now time.Time) error {
	found := make(map[*asset]num, len(prices))
	for symbol, price := range prices {
		a := m.find(strings.ToUpper(symbol), now)
		if a == nil {
			return fmt.Errorf("%w of %q: no such asset", errPrice, symbol)
		}
		if !price.IsPositive() {
			return fmt.Errorf("%w of %q to %s: it must be above 0", errPrice, symbol, price)
		}
		found[a] = price
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for a, price := range found {
		a.price.Store(&price)
	}
	for _, a := range m.options {
		if _, direct := found[a]; direct {
			continue
		}
		if _, moved := found[a.underlying]; moved {
			priceOption(a)
		}
	}
	return nil
}

// prices returns the price of every asset that has one, by symbol.
func (m *market) prices() map[string]num {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := make(map[string]num, len(m.listed)+len(m.options))
	for _, a := range m.listed {
		all[a.symbol] = a.last()
	}
	for _, a := range m.options {
		all[a.symbol] = a.last()
	}
	return all
}
