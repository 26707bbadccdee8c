package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// A NATS server sends its answers wherever a request says, whatever its sender may publish
// to: who may publish anything could have the answer written to another tenant's outcomes. So
// everybody but the workers is in an account of his own, which imports of the ledger's what
// he may ask, and gets the answers there. Package deploy/nats/borders makes these accounts;
// here is what they look like from the inside.
const (
	// BorderAPI is where the JetStream API of the ledger's account is to a user behind a border.
	// Its own account has none.
	BorderAPI = "LEDGER.API."
	// Readers is how many readings of one shard a user behind a border has under way at most,
	// those of all its processes together. Its consumers have fixed names, [ReaderName]: it is
	// by their names that a server protects them.
	Readers = 8
	// AboutKey is the key of the bucket FLEET that says what a user behind a border has to know
	// of the ledger.
	AboutKey = "ledger"

	aboutSubject = "$KV." + FleetBucket + "." + AboutKey
)

// ErrNoHand says that nobody takes what a user behind a border writes.
var ErrNoHand = errors.New("nobody takes it: what tenants change of their own keys is written by a worker; is one running, and the ledger provisioned?")

// What a tenant's user writes to the buckets of keys comes to the ledger's account under subjects
// of these, for a worker to look at first: see package worker/custody.
const (
	CustodySubjects = "custody.>"
	// CustodyRecord is the record of which keys the tenant has: custody.<tenant>.record.
	CustodyRecord = "record"
	// CustodyBlob is the keys, sealed: custody.<tenant>.blob.<digest>.
	CustodyBlob = "blob"
)

// ParseCustody takes such a subject apart. The digest is of a blob; all are empty if it is none of
// these.
func ParseCustody(subject string) (tenant, what, digest string) {
	words := strings.Split(subject, ".")
	switch {
	case len(words) == 3 && words[2] == CustodyRecord:
		return words[1], CustodyRecord, ""
	case len(words) == 4 && words[2] == CustodyBlob:
		return words[1], CustodyBlob, words[3]
	}
	return "", "", ""
}

// ReaderName is how a user behind a border calls its nth consumer of a shard, from 0.
func ReaderName(n int) string { return "reader_" + strconv.Itoa(n) }

// about is what the ledger says of itself to those who may not look at its streams, which
// name all tenants.
type about struct {
	Shards    int           `json:"shards"`
	Retention time.Duration `json:"retention_ns,omitzero"`
}

func (a about) String() string {
	data, _ := json.Marshal(a) // it is two numbers
	return string(data)
}

// openBehind is [Open] behind a border.
func openBehind(ctx context.Context, nc *nats.Conn, options []jetstream.JetStreamOpt) (*Ledger, error) {
	js, err := jetstream.NewWithAPIPrefix(nc, BorderAPI[:len(BorderAPI)-1], options...)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l := &Ledger{nc: nc, js: js, api: BorderAPI, readers: newReaders()}
	m, err := l.lastOf(ctx, "KV_"+FleetBucket, aboutSubject)
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, ErrNone):
		return nil, fmt.Errorf("%w; or it is of an older release", ErrNotProvisioned)
	case err != nil:
		return nil, fmt.Errorf("ledger: read what the ledger says of itself: %w", err)
	}
	var a about
	if err := json.Unmarshal(m.Data, &a); err != nil || a.Shards < 1 {
		return nil, fmt.Errorf("ledger: key %s of bucket %s is %q, which says no number of shards; provision the ledger", AboutKey, FleetBucket, m.Data)
	}
	l.shards, l.retention = a.Shards, a.Retention
	return l, nil
}

// Behind says that there is a border between us and the ledger.
func (l *Ledger) Behind() bool { return l.readers != nil }

// lastOf reads a stream's last message of a subject, from whichever replica answers. The
// subject is in the request's own, so that a server can permit it and no other. [ErrNone] if
// there is none.
func (l *Ledger) lastOf(ctx context.Context, stream, subject string) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, leaderTimeout)
	defer cancel()
	m, err := l.request(ctx, l.api+"DIRECT.GET."+stream+"."+subject, nil)
	if err == nil && m.Header.Get(statusHeader) == statusNotFound {
		err = ErrNone
	}
	return m, err
}

// errReaders says that all consumers that we may have of a shard are in use. It passes.
var errReaders = fmt.Errorf("all %d readings of the shard are in use by this user; it waits for one that ends", Readers)

// readers are the names of consumers that this process does not use, of each stream. Other
// processes of the same user may use them.
type readers struct {
	mu   sync.Mutex
	free map[string]chan string
}

func newReaders() *readers { return &readers{free: make(map[string]chan string)} }

// of are those of a stream, the longest unused first.
func (r *readers) of(stream string) chan string {
	r.mu.Lock()
	defer r.mu.Unlock()
	free := r.free[stream]
	if free == nil {
		free = make(chan string, Readers)
		for n := range Readers {
			free <- ReaderName(n)
		}
		r.free[stream] = free
	}
	return free
}

// createConsumer makes a consumer. release is to be called when it is no longer used.
func (l *Ledger) createConsumer(ctx context.Context, stream string, cfg jetstream.ConsumerConfig) (cons jetstream.Consumer, release func(), err error) {
	if l.readers == nil {
		cons, err = l.js.CreateConsumer(ctx, stream, cfg)
		return cons, func() {}, err
	}
	// By this the server tells ours from that of another process, which it would share.
	cfg.Metadata = map[string]string{"orderfleet.reading": nuid.Next()}
	free := l.readers.of(stream)
	for range Readers {
		select {
		case cfg.Name = <-free:
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("%w: %w", errReaders, ctx.Err())
		}
		name := cfg.Name
		cons, err = l.js.CreateConsumer(ctx, stream, cfg)
		if err == nil {
			return cons, func() { free <- name }, nil
		}
		free <- name
		if !errors.Is(err, jetstream.ErrConsumerExists) {
			return nil, nil, err
		}
	}
	return nil, nil, errReaders
}
