package custody

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/seal"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"
)

const (
	// burst is how often a tenant may write at once: new keys are three writes, the blob, the
	// record, and the old blob's removal.
	burst = 30
	// pause is until it may write once more: a thousand new keys a day.
	pause = 30 * time.Second
	// maxRecord bounds the record of a tenant's keys, in bytes: sixty recipients and a reason.
	maxRecord = 16 << 10
	// waiting is how many writes wait at most; more are dropped, and come to nothing.
	waiting = 256
	// within is how long a write may take.
	within = 5 * time.Second
)

// queue is the name under which all workers are one.
const queue = "custody"

// desk is where one worker takes writes in. One goroutine owns it.
type desk struct {
	records *registry.Store
	blobs   *ledger.Bucket
	log     zerolog.Logger
	// often is how often each tenant may write yet.
	often map[string]*rate.Limiter
}

// Run takes writes in until ctx ends.
func Run(ctx context.Context, l *ledger.Ledger, nc *nats.Conn, log zerolog.Logger) {
	d := &desk{
		records: registry.NewStore(l),
		blobs:   l.Bucket(ledger.CredentialsBucket),
		log:     log,
		often:   make(map[string]*rate.Limiter),
	}
	writes := make(chan *nats.Msg, waiting)
	sub, err := nc.ChanQueueSubscribe(ledger.CustodySubjects, queue, writes)
	if err != nil {
		log.Error().Err(err).Msg("tenants cannot change their keys by this worker")
		return
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only if the connection is gone, and it with it
	for {
		select {
		case m := <-writes:
			d.take(ctx, m)
		case <-ctx.Done():
			return
		}
	}
}

// take takes a write in, and answers it as the bucket would.
func (d *desk) take(ctx context.Context, m *nats.Msg) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	name, what, digest := ledger.ParseCustody(m.Subject)
	var a answer
	var err error
	switch {
	case order.ValidTenant(name) != nil:
		name, err = "", errSubject
	case !d.mayYet(name):
		err = errOften
	case what == ledger.CustodyRecord:
		a.Stream = "KV_" + ledger.TenantsBucket
		a.Sequence, err = d.record(ctx, name, m)
	default:
		a.Stream = "KV_" + ledger.CredentialsBucket
		a.Sequence, err = d.blob(ctx, name, digest, m)
	}
	if err != nil {
		level := zerolog.WarnLevel
		if errors.Is(err, errOften) {
			level = zerolog.DebugLevel // a flood of writes is none of lines
		}
		d.log.WithLevel(level).Err(err).Str("tenant", name).Msg("a tenant's change of its keys is refused")
		a = answer{Error: refusal(err)}
	}
	data, err := json.Marshal(a)
	if err == nil {
		err = m.Respond(data)
	}
	if err != nil && ctx.Err() == nil {
		d.log.Debug().Err(err).Msg("a tenant is not told what became of its change")
	}
}

// answer is a JetStream server's to a publish.
type answer struct {
	Stream   string              `json:"stream,omitempty"`
	Sequence uint64              `json:"seq,omitempty"`
	Error    *jetstream.APIError `json:"error,omitempty"`
}

// Why a write is refused.
var (
	errSubject = errors.New("custody: nothing is written there")
	errOften   = fmt.Errorf("custody: the tenant changes its keys too often: %d writes at once, and one every %s", burst, pause)
	errSize    = errors.New("custody: that is more than a tenant's keys take")
	errBlob    = errors.New("custody: the sealed credentials are not what their name says")
)

// refusal is an error as a server would put it: its own as it is.
func refusal(err error) *jetstream.APIError {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api
	}
	code := http.StatusForbidden
	switch {
	case errors.Is(err, errOften):
		code = http.StatusTooManyRequests
	case ledger.Transient(err):
		code = http.StatusServiceUnavailable
	}
	return &jetstream.APIError{Code: code, Description: err.Error()}
}

// mayYet says that a tenant may write once more.
func (d *desk) mayYet(name string) bool {
	l := d.often[name]
	if l == nil {
		l = rate.NewLimiter(rate.Every(pause), burst)
		d.often[name] = l
	}
	return l.Allow()
}

// record writes a record of a tenant's credential that would count.
func (d *desk) record(ctx context.Context, name string, m *nats.Msg) (uint64, error) {
	if len(m.Data) > maxRecord {
		return 0, errSize
	}
	return d.records.Admit(ctx, registry.CredentialKey(name), m.Data)
}

// blob writes sealed credentials, or removes some.
func (d *desk) blob(ctx context.Context, name, digest string, m *nats.Msg) (uint64, error) {
	key := seal.Key(name, digest)
	if len(m.Data) == 0 {
		return 0, d.blobs.Discard(ctx, key)
	}
	switch {
	case len(m.Data) > seal.MaxBlob:
		return 0, errSize
	case seal.Blob(m.Data).Digest() != digest:
		return 0, errBlob
	}
	return d.blobs.Put(ctx, key, m.Data, 0, 0)
}
