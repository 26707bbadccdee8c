package custody_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/seal"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/custody"
	"github.com/rs/zerolog"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

// office is a ledger, whose workers take in what tenants change.
type office struct {
	testing.TB
	nc     *nats.Conn
	ledger *ledger.Ledger
	ann    *registry.Signer // an operator
	own    *registry.Signer // acme's own key
}

func begin(t *testing.T, workers int) *office {
	l, nc := ledgertest.Open(t, 1)
	o := &office{t, nc, l, signer(t, "ann"), signer(t, "acme")}
	list := registry.OperatorList{Operators: []registry.Operator{{Name: "ann", Key: o.ann.Public()}, {Name: "acme", Key: o.own.Public(), Tenant: "acme"}}}
	if _, err := registry.NewStore(l).Write(t.Context(), o.ann, registry.OperatorsKey, &list, "a test", 0); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	for range workers {
		serving.Go(func() { custody.Run(ctx, l, nc, zerolog.Nop()) })
	}
	t.Cleanup(func() { stop(); serving.Wait() })
	return o
}

func signer(t *testing.T, name string) *registry.Signer {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	s, err := registry.NewSigner(name, seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Wipe)
	return s
}

// write writes to a subject, and returns what a client of JetStream makes of the answer.
func (o *office) write(subject string, data []byte) error {
	o.Helper()
	js, err := jetstream.New(o.nc)
	if err != nil {
		o.Fatal(err)
	}
	for {
		if _, err = js.Publish(o.Context(), subject, data); !errors.Is(err, jetstream.ErrNoStreamResponse) {
			return err // the workers listen
		}
	}
}

// record is one of a tenant's credential as a signer would write it behind a change: it is taken
// from a bucket of another ledger, where it counts.
func (o *office) record(by *registry.Signer, name string, after uint64, reason string) []byte {
	o.Helper()
	there, _ := ledgertest.Open(o, 1)
	store, k := registry.NewStore(there), registry.CredentialKey(name)
	for last := uint64(0); ; {
		c := registry.Credential{Digest: strings.Repeat("0a", 32), Kind: tenant.OAuth, Recipients: []string{"age1" + strings.Repeat("q", 58)}}
		revision, err := store.Write(o.Context(), by, k, &c, reason, last)
		if err != nil {
			o.Fatal(err)
		}
		if last == after {
			data, err := there.Bucket(ledger.TenantsBucket).Value(o.Context(), k.String())
			if err != nil {
				o.Fatal(err)
			}
			return data
		}
		last = revision
	}
}

// ends are the last changes of the buckets of keys.
func (o *office) ends() (ends [2]uint64) {
	o.Helper()
	for i, name := range []string{ledger.TenantsBucket, ledger.CredentialsBucket} {
		var err error
		if ends[i], err = o.ledger.Bucket(name).End(o.Context()); err != nil {
			o.Fatal(err)
		}
	}
	return ends
}

// TestWhatCounts: what would count is written as it came, once; what would not is not written.
func TestWhatCounts(t *testing.T) {
	o := begin(t, 2)
	good := o.record(o.own, "acme", 0, "new keys")
	blob := seal.Blob("sealed")
	before := o.ends()
	for name, bad := range map[string]struct {
		subject string
		data    []byte
	}{
		"no record":                      {"custody.acme.record", []byte("{}")},
		"nothing":                        {"custody.acme.record", nil},
		"one that nobody signed":         {"custody.acme.record", []byte(strings.Replace(string(good), "new keys", "old keys", 1))},
		"a stranger's":                   {"custody.acme.record", o.record(signer(t, "mallory"), "acme", 0, "mine")},
		"another tenant's":               {"custody.beta.record", good},
		"by a tenant's key for another":  {"custody.beta.record", o.record(o.own, "beta", 0, "mine")},
		"a long one":                     {"custody.acme.record", append(good, strings.Repeat(" ", 16<<10)...)},
		"behind a change that is not":    {"custody.acme.record", o.record(o.own, "acme", 1, "later")},
		"another blob than its name":     {"custody.acme.blob." + blob.Digest(), []byte("unsealed")},
		"a huge blob":                    {"custody.acme.blob." + seal.Blob(make([]byte, seal.MaxBlob+1)).Digest(), make([]byte, seal.MaxBlob+1)},
		"of nobody":                      {"custody.$.record", good},
		"something else":                 {"custody.acme.switch", good},
		"a blob without a name":          {"custody.acme.blob", blob},
		"a blob of a name with dots":     {"custody.acme.blob." + blob.Digest() + ".x", blob},
		"a record with something behind": {"custody.acme.record.x", good},
	} {
		if err := o.write(bad.subject, bad.data); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	if after := o.ends(); after != before {
		t.Errorf("something came of it: %v, after %v", after, before)
	}
	if err := o.write("custody.acme.blob."+blob.Digest(), blob); err != nil {
		t.Fatal(err)
	}
	if err := o.write("custody.acme.record", good); err != nil {
		t.Fatal(err)
	}
	if err := o.write("custody.acme.record", good); !ledger.IsConflict(err) {
		t.Errorf("the same again: %v", err)
	}
	for key, want := range map[string][]byte{"credential.acme": good, seal.Key("acme", blob.Digest()): blob} {
		name := ledger.TenantsBucket
		if !strings.HasPrefix(key, "credential") {
			name = ledger.CredentialsBucket
		}
		if got, err := o.ledger.Bucket(name).Value(t.Context(), key); err != nil || string(got) != string(want) {
			t.Errorf("%s holds %s: %v", key, got, err)
		}
	}
	if err := o.write("custody.acme.blob."+blob.Digest(), nil); err != nil {
		t.Errorf("its own blob is not removed: %v", err)
	}
	if _, err := o.ledger.Bucket(ledger.CredentialsBucket).Value(t.Context(), seal.Key("acme", blob.Digest())); !errors.Is(err, ledger.ErrNone) {
		t.Errorf("it is still there: %v", err)
	}
}

// TestHowOften: a tenant that does not stop is refused, clearly; others are not.
func TestHowOften(t *testing.T) {
	o := begin(t, 1)
	write := func(name string, n int) error {
		blob := seal.Blob(fmt.Sprint(name, n))
		return o.write("custody."+name+".blob."+blob.Digest(), blob)
	}
	var refused error
	began := time.Now()
	for n := 0; refused == nil && n < 1000; n++ {
		refused = write("acme", n)
	}
	api, ok := errors.AsType[*jetstream.APIError](refused)
	if !ok || api.Code != 429 || !strings.Contains(api.Description, "too often") {
		t.Fatalf("in %s: %v", time.Since(began), refused)
	}
	if err := write("beta", 0); err != nil {
		t.Errorf("another tenant: %v", err)
	}
}
