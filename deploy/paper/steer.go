package paper

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/shopspring/decimal"
)

// faultJSON is a [Fault] as the admin endpoints show it: durations are texts such as
// "1.5s".
type faultJSON struct {
	Account     string    `json:"account,omitzero"`
	Operation   Operation `json:"operation,omitzero"`
	Path        string    `json:"path,omitzero"`
	Kind        FaultKind `json:"kind"`
	When        When      `json:"when,omitzero"`
	Count       int       `json:"count,omitzero"`
	Most        int       `json:"most,omitzero"`
	Probability float64   `json:"probability,omitzero"`
	Status      int       `json:"status,omitzero"`
	RetryAfter  span      `json:"retry_after,omitzero"`
	Delay       span      `json:"delay,omitzero"`
	Min         span      `json:"min,omitzero"`
	Max         span      `json:"max,omitzero"`
	P50         span      `json:"p50,omitzero"`
	P99         span      `json:"p99,omitzero"`
}

// span is a duration that goes as a text.
type span time.Duration

// MarshalText writes a duration such as "1.5s".
func (s span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// UnmarshalText reads a duration such as "1.5s".
func (s *span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*s = span(d)
	return err
}

func (f *faultJSON) fault() Fault {
	return Fault{
		f.Account, f.Operation, f.Path, f.Kind, f.When, f.Count, f.Most, f.Probability, f.Status,
		time.Duration(f.RetryAfter), time.Duration(f.Delay), time.Duration(f.Min), time.Duration(f.Max),
		time.Duration(f.P50), time.Duration(f.P99),
	}
}

func faultToJSON(f Fault) faultJSON {
	return faultJSON{
		f.Account, f.Operation, f.Path, f.Kind, f.When, f.Count, f.Most, f.Probability, f.Status,
		span(f.RetryAfter), span(f.Delay), span(f.Min), span(f.Max), span(f.P50), span(f.P99),
	}
}

// ParseFault reads a fault as the admin endpoint takes it, such as
// {"operation":"place","kind":"error","probability":0.1}, and checks it.
func ParseFault(text string) (Fault, error) {
	var asked faultJSON
	if err := json.Unmarshal([]byte(text), &asked, json.RejectUnknownMembers(true)); err != nil {
		return Fault{}, fmt.Errorf("%w: %w", errFault, err)
	}
	f := asked.fault()
	return f, f.check()
}

// readAdmin decodes the body of an admin request; unlike the API's, unknown fields
// are refused. False means that it was answered.
func readAdmin(w http.ResponseWriter, r *http.Request, into any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(body, into, json.RejectUnknownMembers(true))
	}
	if err != nil {
		http.Error(w, "cannot read the body: "+err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

// answerAdmin sends a value, or says what was wrong with the request.
func answerAdmin(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // whether the client still listens is its affair
}

func (b *Broker) postFault(w http.ResponseWriter, r *http.Request) {
	var f faultJSON
	if readAdmin(w, r, &f) {
		answerAdmin(w, f, b.SetFault(f.fault()))
	}
}

func (b *Broker) getFaults(w http.ResponseWriter, _ *http.Request) {
	all := []faultJSON{}
	for _, f := range b.Faults() {
		all = append(all, faultToJSON(f))
	}
	answerAdmin(w, all, nil)
}

func (b *Broker) deleteFaults(w http.ResponseWriter, _ *http.Request) {
	b.ClearFaults()
	w.WriteHeader(http.StatusNoContent)
}

func (b *Broker) getPrices(w http.ResponseWriter, _ *http.Request) {
	answerAdmin(w, b.Prices(), nil)
}

func (b *Broker) postPrices(w http.ResponseWriter, r *http.Request) {
	var asked map[string]number
	if !readAdmin(w, r, &asked) {
		return
	}
	prices := make(map[string]decimal.Decimal, len(asked))
	for symbol, price := range asked {
		prices[symbol] = price.Decimal
	}
	answerAdmin(w, prices, b.SetPrices(prices))
}

// clockJSON is the state of the broker's clock.
type clockJSON struct {
	Time  time.Time `json:"time"`
	Hours string    `json:"hours"`
	Open  bool      `json:"open"`
}

var hoursNames = map[Hours]string{AlwaysOpen: "open", AlwaysClosed: "closed", NewYorkHours: "new_york"}

func (b *Broker) getClock(w http.ResponseWriter, _ *http.Request) {
	now := b.now()
	answerAdmin(w, clockJSON{now, hoursNames[b.session.hours()], b.session.isOpen(now)}, nil)
}

// postClock sets the time, opens or closes the market, and moves prices on.
func (b *Broker) postClock(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Time  *time.Time `json:"time"`
		Open  *bool      `json:"open"`
		Hours *string    `json:"hours"`
		Ticks int        `json:"ticks"`
	}
	if !readAdmin(w, r, &asked) {
		return
	}
	hours, err := askedHours(asked.Open, asked.Hours)
	if err == nil && (asked.Ticks < 0 || asked.Ticks > 1_000_000) {
		err = fmt.Errorf("%w: ticks %d: want 0 to 1000000", errSetting, asked.Ticks)
	}
	if err != nil {
		answerAdmin(w, nil, err)
		return
	}
	if asked.Time != nil {
		b.SetTime(*asked.Time)
	}
	if hours != nil {
		b.SetHours(*hours)
	}
	for range asked.Ticks {
		b.Tick()
	}
	b.getClock(w, r)
}

// askedHours are the hours that a request names, if it does.
func askedHours(open *bool, name *string) (*Hours, error) {
	switch {
	case open != nil && name != nil:
		return nil, fmt.Errorf("%w: want only one of open and hours", errSetting)
	case open != nil:
		h := AlwaysClosed
		if *open {
			h = AlwaysOpen
		}
		return &h, nil
	case name == nil:
		return nil, nil //nolint:nilnil // none are named
	}
	for h, n := range hoursNames {
		if n == *name {
			return &h, nil
		}
	}
	return nil, fmt.Errorf("%w: hours %q: want open, closed or new_york", errSetting, *name)
}

// settingsJSON are the settings that can change while the broker runs.
type settingsJSON struct {
	DuplicateCheck bool   `json:"duplicate_check"`
	RateLimit      int    `json:"rate_limit"` // requests a minute an account; below 0 none
	Liquidity      number `json:"liquidity"`
	Correspondent  int    `json:"correspondent_limit"` // requests a window; below 0 none
	Window         span   `json:"correspondent_window"`
}

func (b *Broker) getSettings(w http.ResponseWriter, _ *http.Request) {
	l := b.correspondentLimit.Load()
	answerAdmin(w, struct {
		DuplicateCheck bool            `json:"duplicate_check"`
		RateLimit      int             `json:"rate_limit"`
		Liquidity      decimal.Decimal `json:"liquidity"`
		Correspondent  int             `json:"correspondent_limit"`
		Window         span            `json:"correspondent_window"`
	}{b.duplicate.Load(), int(b.rateLimit.Load()), b.liquidity(), l.Requests, span(l.Window)}, nil)
}

// postSettings changes the settings that are named.
func (b *Broker) postSettings(w http.ResponseWriter, r *http.Request) {
	l := b.correspondentLimit.Load()
	asked := settingsJSON{b.duplicate.Load(), int(b.rateLimit.Load()), number(some(b.liquidity())), l.Requests, span(l.Window)}
	if !readAdmin(w, r, &asked) {
		return
	}
	if err := b.SetLiquidity(asked.Liquidity.Decimal); err != nil {
		answerAdmin(w, nil, err)
		return
	}
	b.SetCorrespondentLimit(Limit{asked.Correspondent, time.Duration(asked.Window)})
	b.SetDuplicateCheck(asked.DuplicateCheck)
	b.SetRateLimit(asked.RateLimit)
	b.getSettings(w, r)
}
