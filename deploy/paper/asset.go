package paper

import (
	"hash/fnv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/shopspring/decimal"
)

type (
	// num is an amount of money, shares or coins.
	num = decimal.Decimal
	// opt is a num that may be absent.
	opt = decimal.NullDecimal
)

func some(d num) opt { return decimal.NewNullDecimal(d) }

// Classes of assets.
const (
	equity = "us_equity"
	crypto = "crypto"
	option = "us_option"
)

// asset is something that can be traded. All but its price is fixed at birth.
type asset struct {
	id, symbol, name, class, exchange string
	fractionable, shortable           bool
	multiplier                        num // units of the underlying in one: 100 for options

	// What an option is made of.
	underlying *asset
	expiry     time.Time // the day, midnight UTC
	strike     num
	put        bool

	price atomic.Pointer[num] // written by the market alone
}

func newAsset(symbol, name, class, exchange string) *asset {
	return &asset{
		id: stableID("asset", symbol), symbol: symbol, name: name, class: class, exchange: exchange,
		fractionable: class != option, shortable: class == equity, multiplier: decimal.NewFromInt(1),
	}
}

// last is the price of the last trade.
func (a *asset) last() num { return *a.price.Load() }

// places is how many decimal places a price of the asset is rounded to.
func (a *asset) places(price num) int32 {
	switch {
	case a.class == crypto:
		return 9
	case a.class == equity && price.LessThan(decimal.NewFromInt(1)):
		return 4
	}
	return 2
}

// value is what a quantity costs at a price.
func (a *asset) value(qty, price num) num {
	v := qty.Mul(price)
	if a.class == option {
		v = v.Mul(a.multiplier)
	}
	return v
}

// listing is an asset that the broker knows from the start.
type listing struct {
	symbol, name, class, exchange, price string
}

var listings = []listing{
	{"AAPL", "Apple Inc. Common Stock", equity, "NASDAQ", "190"},
	{"AMD", "Advanced Micro Devices, Inc. Common Stock", equity, "NASDAQ", "142"},
	{"AMZN", "Amazon.com, Inc. Common Stock", equity, "NASDAQ", "178"},
	{"BRK.B", "Berkshire Hathaway Inc.", equity, "NYSE", "405"},
	{"DIA", "SPDR Dow Jones Industrial Average ETF Trust", equity, "ARCA", "388"},
	{"F", "Ford Motor Company", equity, "NYSE", "12.2"},
	{"GE", "GE Aerospace", equity, "NYSE", "158"},
	{"GOOG", "Alphabet Inc. Class C Capital Stock", equity, "NASDAQ", "173"},
	{"GOOGL", "Alphabet Inc. Class A Common Stock", equity, "NASDAQ", "171"},
	{"INTC", "Intel Corporation Common Stock", equity, "NASDAQ", "31"},
	{"IWM", "iShares Russell 2000 ETF", equity, "ARCA", "203"},
	{"JPM", "JPMorgan Chase & Co.", equity, "NYSE", "198"},
	{"KO", "Coca-Cola Company", equity, "NYSE", "62"},
	{"META", "Meta Platforms, Inc. Class A Common Stock", equity, "NASDAQ", "495"},
	{"MSFT", "Microsoft Corporation Common Stock", equity, "NASDAQ", "418"},
	{"NFLX", "Netflix, Inc. Common Stock", equity, "NASDAQ", "640"},
	{"NVDA", "NVIDIA Corporation Common Stock", equity, "NASDAQ", "121"},
	{"QQQ", "Invesco QQQ Trust, Series 1", equity, "NASDAQ", "466"},
	{"SPY", "SPDR S&P 500 ETF Trust", equity, "ARCA", "541"},
	{"T", "AT&T Inc.", equity, "NYSE", "18.4"},
	{"TSLA", "Tesla, Inc. Common Stock", equity, "NASDAQ", "184"},
	{"V", "VISA Inc.", equity, "NYSE", "272"},
	{"WMT", "Walmart Inc.", equity, "NYSE", "67"},
	{"XOM", "Exxon Mobil Corporation", equity, "NYSE", "113"},
	{"AVAX/USD", "Avalanche / US Dollar", crypto, "CRYPTO", "27.5"},
	{"BTC/USD", "Bitcoin / US Dollar", crypto, "CRYPTO", "64000"},
	{"DOGE/USD", "Dogecoin / US Dollar", crypto, "CRYPTO", "0.125"},
	{"ETH/USD", "Ethereum / US Dollar", crypto, "CRYPTO", "3450"},
	{"LTC/USD", "Litecoin / US Dollar", crypto, "CRYPTO", "74"},
	{"SOL/USD", "Solana / US Dollar", crypto, "CRYPTO", "146"},
}

// parseOption reads an OCC symbol such as AAPL271217C00250000: underlying, date,
// call or put, strike in thousandths.
func parseOption(symbol string) (root string, expiry time.Time, put bool, strike num, ok bool) {
	n := len(symbol) - 15
	if n < 1 || n > 6 {
		return "", time.Time{}, false, num{}, false
	}
	expiry, err := time.Parse("060102", symbol[n:n+6])
	if err != nil || symbol[n+6] != 'C' && symbol[n+6] != 'P' {
		return "", time.Time{}, false, num{}, false
	}
	var thousandths int64
	for _, c := range symbol[n+7:] {
		if c < '0' || c > '9' {
			return "", time.Time{}, false, num{}, false
		}
		thousandths = thousandths*10 + int64(c-'0')
	}
	return symbol[:n], expiry, symbol[n+6] == 'P', decimal.New(thousandths, -3), thousandths > 0
}

// plain writes a symbol without the slash of a pair, as clients may.
func plain(symbol string) string { return strings.ReplaceAll(symbol, "/", "") }

// hash is a number that depends on its words alone.
func hash(words ...string) uint64 {
	h := fnv.New64a()
	for _, w := range words {
		_, _ = h.Write([]byte(w)) // never fails
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}
