package pool

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// version is the version of every message that this package writes.
const version = 1

// Bounds of messages. NATS carries a megabyte by default.
const (
	maxMessage = 512 << 10 // bytes
	maxWants   = 2000      // tenants that an ask names; the others wait for their turn to be named
	maxReports = 4000      // tokens that it tells of
	maxTokens  = 4000      // in a grant
	maxWanted  = 1 << 16   // tokens for a tenant
)

// Subjects: workers ask the owner of the shard that a pool's name hashes to, and each hears
// its answers on a subject of its own.
func askSubject(shard int) string { return "pools." + strconv.Itoa(shard) }
func grantSubject(shard int, client string) string {
	return askSubject(shard) + "." + client
}
func grantSubjects(client string) string { return "pools.*." + client }

// ask is what a worker tells a pool's banker: all that its tenants want, and what became of
// the tokens that they got.
type ask struct {
	Version int    `json:"v"`
	Pool    string `json:"pool"`
	Client  string `json:"client"`
	// Number counts a worker's asks of a pool.
	Number uint64 `json:"number"`
	// Epoch is that of the banker's that the worker heard last, and Heard the number of that
	// one's last grant: the wants count with all up to that one in hand.
	Epoch uint64   `json:"epoch,omitzero"`
	Heard uint64   `json:"heard,omitzero"`
	Wants []wanted `json:"wants,omitempty"`
	// Used are the banker's tokens whose requests have arrived, Back those that never will be.
	Used []used   `json:"used,omitempty"`
	Back []uint64 `json:"back,omitempty"`
	// Limits, if set, is what the broker's last answer said.
	Limits *limits `json:"limits,omitempty"`
	// AwayMicros is for how long from now on the broker wants to see nobody.
	AwayMicros int64 `json:"away_us,omitzero"`
}

type wanted struct {
	Tenant     string `json:"tenant"`
	Weight     int    `json:"weight,omitzero"`
	Ordinary   int    `json:"ordinary,omitzero"`
	Urgent     int    `json:"urgent,omitzero"`
	Background int    `json:"background,omitzero"`
}

func (w *wanted) of(c Class) *int {
	switch c {
	case Urgent:
		return &w.Urgent
	case Background:
		return &w.Background
	default:
		return &w.Ordinary
	}
}

// used is a token whose request arrived so long before the ask was sent, or longer before.
type used struct {
	ID        uint64 `json:"id"`
	AgoMicros int64  `json:"ago_us"`
}

// limits is what an answer said of the limit, AgoMicros before the ask was sent.
type limits struct {
	Remaining   int   `json:"remaining"`
	ResetMicros int64 `json:"reset_us"` // from the ask on
	AgoMicros   int64 `json:"ago_us"`
}

// grant is what a banker answers an ask with, and sends later as tokens are due.
type grant struct {
	Version int    `json:"v"`
	Pool    string `json:"pool"`
	Worker  string `json:"worker"` // of the banker
	Epoch   uint64 `json:"epoch"`
	// Number counts the banker's grants to this worker.
	Number uint64 `json:"number"`
	// Echo is the worker's last ask.
	Echo   uint64  `json:"echo"`
	Tokens []token `json:"tokens,omitempty"`
}

// token is leave for a tenant's request. It was due AfterMicros after the ask with the number
// Echo arrived; below 0 it was before.
type token struct {
	ID          uint64 `json:"id"`
	Tenant      string `json:"tenant"`
	Class       Class  `json:"class,omitzero"`
	AfterMicros int64  `json:"after_us"`
}

var errMalformed = errors.New("pool: malformed message")

var wire = json.JoinOptions(json.Deterministic(true))

func encode(m any) ([]byte, error) {
	data, err := json.Marshal(m, wire)
	if err != nil {
		return nil, fmt.Errorf("pool: encode a message: %w", err)
	}
	return data, nil
}

func decode[T any](data []byte) (*T, error) {
	m := new(T)
	if len(data) > maxMessage {
		return nil, fmt.Errorf("%w: it has %d bytes, more than %d", errMalformed, len(data), maxMessage)
	}
	if err := json.Unmarshal(data, m, wire); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return m, nil
}

func decodeAsk(data []byte) (*ask, error) {
	a, err := decode[ask](data)
	if err != nil {
		return nil, err
	}
	switch {
	case a.Version > version:
		return nil, fmt.Errorf("%w: version %d is not known; this is version %d", errMalformed, a.Version, version)
	case tenant.ValidWord(a.Pool) != nil:
		return nil, fmt.Errorf("%w: the pool's name %w", errMalformed, tenant.ValidWord(a.Pool))
	case tenant.ValidWord(a.Client) != nil:
		return nil, fmt.Errorf("%w: the worker's name %w", errMalformed, tenant.ValidWord(a.Client))
	case len(a.Wants) > maxWants || len(a.Used)+len(a.Back) > maxReports:
		return nil, fmt.Errorf("%w: it names %d tenants and %d tokens, more than %d and %d", errMalformed, len(a.Wants), len(a.Used)+len(a.Back), maxWants, maxReports)
	}
	for _, w := range a.Wants {
		if err := order.ValidTenant(w.Tenant); err != nil {
			return nil, fmt.Errorf("%w: a tenant: %w", errMalformed, err)
		}
		for c := range Class(classes) {
			if n := *w.of(c); n < 0 || n > maxWanted {
				return nil, fmt.Errorf("%w: tenant %s wants %d tokens", errMalformed, w.Tenant, n)
			}
		}
	}
	for _, u := range a.Used {
		if u.AgoMicros < 0 {
			return nil, fmt.Errorf("%w: token %d was used in the future", errMalformed, u.ID)
		}
	}
	if l := a.Limits; l != nil && (l.Remaining < 0 || l.AgoMicros < 0) {
		return nil, fmt.Errorf("%w: %d requests remain since %d us", errMalformed, l.Remaining, l.AgoMicros)
	}
	return a, nil
}

func decodeGrant(data []byte) (*grant, error) {
	g, err := decode[grant](data)
	if err != nil {
		return nil, err
	}
	if g.Version > version {
		return nil, fmt.Errorf("%w: version %d is not known; this is version %d", errMalformed, g.Version, version)
	}
	if len(g.Tokens) > maxTokens {
		return nil, fmt.Errorf("%w: it has %d tokens, more than %d", errMalformed, len(g.Tokens), maxTokens)
	}
	for _, t := range g.Tokens {
		if t.Class >= classes {
			return nil, fmt.Errorf("%w: class %d is not known", errMalformed, t.Class)
		}
	}
	return g, nil
}

// micros are rounded down, below 0 too: so is how long ago a request arrived, which may have
// been later, and until when a token is good.
func micros(d time.Duration) int64 {
	us := d.Microseconds()
	if d < time.Duration(us)*time.Microsecond {
		us--
	}
	return us
}

// ofMicros is a duration that a message tells, within sense.
func ofMicros(us int64) time.Duration {
	const most = int64(24 * time.Hour / time.Microsecond)
	return time.Duration(min(max(us, -most), most)) * time.Microsecond
}
