package paper

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// SetPrices sets the last prices of assets by symbol, all or none, and fills what they
// make fillable.
func (b *Broker) SetPrices(prices map[string]decimal.Decimal) error {
	if err := b.market.set(prices, b.now()); err != nil {
		return err
	}
	b.matchAll()
	return nil
}

// Prices returns the last prices by symbol: of all listed assets, and of the options
// that were asked for.
func (b *Broker) Prices() map[string]decimal.Decimal { return b.market.prices() }

// Tick moves all prices one step, holds the auctions that are due, fills what can be
// filled and ends what has expired.
func (b *Broker) Tick() {
	b.market.step()
	b.settle()
}

// SetHours sets when the market is open.
func (b *Broker) SetHours(h Hours) {
	b.session.mode.Store(int32(h))
	b.settle()
}

// SetTime sets the broker's clock, which runs on from there.
func (b *Broker) SetTime(t time.Time) {
	b.session.offset.Store(int64(t.Sub(b.clock())))
	b.settle()
}

// SetDuplicateCheck says whether a client order id can be used only once an account.
func (b *Broker) SetDuplicateCheck(on bool) { b.duplicate.Store(on) }

// SetRateLimit sets the requests a minute an account; below 0 there is no limit.
func (b *Broker) SetRateLimit(n int) { b.rateLimit.Store(int64(n)) }

// errSetting refuses settings that make no sense.
var errSetting = errors.New("paper: bad setting")

// SetLiquidity sets how much of an order fills at one step of the prices, so that
// larger ones fill in parts; 0 is all of it.
func (b *Broker) SetLiquidity(most decimal.Decimal) error {
	if most.IsNegative() {
		return fmt.Errorf("%w: liquidity %s: want at least 0", errSetting, most)
	}
	b.depth.Store(&most)
	return nil
}

// liquidity is how much of an order fills at one step of the prices; 0 is all.
func (b *Broker) liquidity() num {
	if d := b.depth.Load(); d != nil {
		return *d
	}
	return num{}
}

// settle holds the auction of an opening or a close since it last looked, then gives
// every open order its chance.
func (b *Broker) settle() {
	if open := b.session.isOpen(b.now()); b.session.opened.Swap(open) != open {
		tif := tifCLS
		if open {
			tif = tifOPG
		}
		b.eachAccount(func(a *account, at stamp) { b.auction(a, tif, at) })
	}
	b.matchAll()
}

// auction fills the orders of a locked account for an auction, and cancels those that
// its price does not fill.
func (b *Broker) auction(a *account, tif string, at stamp) {
	for _, o := range slices.Clone(a.open) {
		if o.tif != tif || o.status.over() || o.asset == nil {
			continue
		}
		o.set(live, at)
		a.emit("new", o, fill{}, at)
		if price := o.asset.last(); o.takes(price) {
			b.execute(a, o, price, at)
		}
		if !o.status.over() {
			a.end(o, canceled, at)
		}
	}
}

// matchAll gives every open order of every account its chance.
func (b *Broker) matchAll() { b.eachAccount(b.matchOpen) }

// eachAccount does something to every account, locked, one at a time.
func (b *Broker) eachAccount(do func(*account, stamp)) {
	b.mu.RLock()
	all := make([]*account, 0, len(b.accounts))
	for _, a := range b.accounts {
		all = append(all, a)
	}
	b.mu.RUnlock()
	at := stampOf(b.now())
	for _, a := range all {
		a.mu.Lock()
		do(a, at)
		a.mu.Unlock()
	}
}
