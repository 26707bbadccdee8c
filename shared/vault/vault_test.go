package vault_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/seal"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/shared/vault"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

var first, second = tenant.Credentials{KeyID: "AK1", Secret: "PRIVATE-1"}, tenant.Credentials{OAuth: "PRIVATE-2"}

// desk is a ledger with a vault, an operator, and a worker's identities and registry.
type desk struct {
	testing.TB
	*vault.Vault
	nc       *nats.Conn
	ledger   *ledger.Ledger
	records  *registry.Store
	ann      *registry.Signer
	path     string // of the identities
	ids      *seal.Identities
	registry *registry.Registry
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	l, nc := ledgertest.Open(t, 1)
	d := &desk{TB: t, Vault: vault.New(l), nc: nc, ledger: l, records: registry.NewStore(l), ann: newSigner(t, "ann"), path: filepath.Join(t.TempDir(), "identities")}
	d.receive(d.identity())
	var err error
	if d.ids, err = seal.LoadIdentities(d.path); err != nil {
		t.Fatal(err)
	}
	d.registry = registry.New(l, nil)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := d.registry.Run(ctx); ctx.Err() == nil {
			t.Errorf("the registry ended: %v", err)
		}
	}()
	t.Cleanup(func() { stop(); <-ended })
	return d
}

func newSigner(t testing.TB, name string) *registry.Signer {
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

// identity adds one to the worker's file, and returns its recipient.
func (d *desk) identity() string {
	d.Helper()
	line, recipient, err := seal.Keygen()
	if err != nil {
		d.Fatal(err)
	}
	all, err := os.ReadFile(d.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		d.Fatal(err)
	}
	if err := os.WriteFile(d.path, append(append(all, line...), '\n'), 0o600); err != nil {
		d.Fatal(err)
	}
	return recipient
}

// write changes a key of the registry.
func (d *desk) write(k registry.Key, body any) {
	d.Helper()
	last, err := d.records.Last(d.Context(), k)
	if err != nil {
		d.Fatal(err)
	}
	if _, err := d.records.Write(d.Context(), d.ann, k, body, "a test", last); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) receive(recipients ...string) {
	d.Helper()
	d.write(registry.RecipientsKey, &registry.RecipientList{Recipients: recipients})
}

func (d *desk) set(name string, c tenant.Credentials) vault.Held {
	d.Helper()
	h, err := d.Set(d.Context(), d.ann, name, c, "a test")
	if err != nil {
		d.Fatal(err)
	}
	return h
}

// opens says whether the tenant's credentials are these.
func (d *desk) opens(name string, want tenant.Credentials) {
	d.Helper()
	h, err := d.Show(d.Context(), name)
	if err != nil {
		d.Fatal(err)
	}
	c, err := d.Open(d.Context(), name, h.Digest, d.ids)
	if err != nil || c.KeyID != want.KeyID || c.Secret != want.Secret || c.OAuth != want.OAuth {
		d.Errorf("opened others, %v", err)
	}
}

// blobs are the keys of the bucket that hold something.
func (d *desk) blobs() (keys []string) {
	d.Helper()
	b := d.ledger.Bucket(ledger.CredentialsBucket)
	end, err := b.End(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	err = b.Read(d.Context(), ">", ledger.Start{Seq: 1}, end, func(c ledger.KeyChange) error {
		if c.Value != nil {
			keys = append(keys, c.Key)
		}
		for _, secret := range []string{"PRIVATE", "AK1"} {
			if bytes.Contains(c.Value, []byte(secret)) {
				d.Error("a blob shows what it holds")
			}
		}
		return nil
	})
	if err != nil {
		d.Fatal(err)
	}
	return keys
}

func TestSet(t *testing.T) {
	d := newDesk(t)
	if _, err := d.Show(t.Context(), "acme"); !errors.Is(err, tenant.ErrNoCredentials) {
		t.Errorf("before: %v", err)
	}
	one := d.set("acme", first)
	d.set("beta", first)
	d.opens("acme", first)
	if h, err := d.Show(t.Context(), "acme"); err != nil || h.Kind != tenant.KeyPair || h.By != "ann" || h.Reason != "a test" || h.Since.IsZero() || h.Revision != one.Revision {
		t.Errorf("shown %+v, %v", h, err)
	}
	two := d.set("acme", second)
	d.opens("acme", second)
	d.opens("beta", first)
	if _, err := d.Open(t.Context(), "acme", one.Digest, d.ids); !errors.Is(err, vault.ErrGone) {
		t.Errorf("the old ones: %v", err)
	}
	if got := d.blobs(); len(got) != 2 {
		t.Errorf("the bucket has %v", got)
	}
	if two.Kind != tenant.OAuth || two.Revision <= one.Revision {
		t.Errorf("set %+v", two)
	}
	if _, err := d.Remove(t.Context(), d.ann, "acme", "gone"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Remove(t.Context(), d.ann, "acme", "gone"); !errors.Is(err, tenant.ErrNoCredentials) {
		t.Errorf("removed twice: %v", err)
	}
	if got := d.blobs(); len(got) != 1 {
		t.Errorf("the bucket has %v", got)
	}
	d.set("acme", first) // after a removal
	d.opens("acme", first)
}

// TestStranger: somebody whose signature does not count changes nothing, and leaves nothing; a
// tenant's own signature counts for that tenant.
func TestStranger(t *testing.T) {
	d := newDesk(t)
	d.set("acme", first)
	own, stranger := newSigner(t, "acme"), newSigner(t, "stranger")
	d.write(registry.OperatorsKey, &registry.OperatorList{Operators: []registry.Operator{
		{Name: "ann", Key: d.ann.Public()}, {Name: "acme", Key: own.Public(), Tenant: "acme"},
	}})
	for who, by := range map[string]*registry.Signer{"acme": stranger, "beta": own} {
		if _, err := d.Set(t.Context(), by, who, second, "mine now"); !errors.Is(err, registry.ErrNotAllowed) {
			t.Errorf("%s by %s: %v", who, by.Name(), err)
		}
		if _, err := d.Remove(t.Context(), by, who, "gone"); err == nil {
			t.Errorf("%s removes that of %s", by.Name(), who)
		}
	}
	d.opens("acme", first)
	if _, err := d.Set(t.Context(), own, "acme", second, "mine"); err != nil {
		t.Error(err)
	}
	d.opens("acme", second)
	if got := d.blobs(); len(got) != 1 {
		t.Errorf("the bucket has %v", got)
	}
}

// TestNoRecipients: nothing is sealed that nobody could open.
func TestNoRecipients(t *testing.T) {
	d := newDesk(t)
	d.write(registry.RecipientsKey, nil)
	if _, err := d.Set(t.Context(), d.ann, "acme", first, "a test"); !errors.Is(err, seal.ErrNoRecipients) {
		t.Errorf("%v", err)
	}
	if got := d.blobs(); len(got) != 0 {
		t.Errorf("the bucket has %v", got)
	}
}

// TestForeignBlob: a blob that is copied to another tenant's key is not that one's, whatever the
// record says.
func TestForeignBlob(t *testing.T) {
	d := newDesk(t)
	d.set("acme", first)
	mine := d.set("beta", second)
	b := d.ledger.Bucket(ledger.CredentialsBucket)
	blob, err := b.Value(t.Context(), seal.Key("beta", mine.Digest))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), seal.Key("acme", mine.Digest), blob, 0, 0); err != nil {
		t.Fatal(err)
	}
	d.write(registry.CredentialKey("acme"), &mine.Credential)
	if _, err := d.Open(t.Context(), "acme", mine.Digest, d.ids); !errors.Is(err, seal.ErrForeign) {
		t.Errorf("%v", err)
	}
}

// TestReseal: after the identity has changed everywhere, the old one opens nothing, and the
// tenants' credentials are what they were.
func TestReseal(t *testing.T) {
	d := newDesk(t)
	d.set("acme", first)
	d.write(registry.TenantKey("acme"), &tenant.Settings{Broker: "paper"})
	old, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	worker := &vault.Directory{Registry: d.registry, Vault: d.Vault, Identities: d.ids}
	d.receive(d.identity())
	if h, err := d.Show(t.Context(), "acme"); err != nil || !h.Stale(recipients(d)) {
		t.Errorf("not stale: %v", err)
	}
	r, err := worker.Reseal(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Replace(t.Context(), d.ann, "acme", "another", r.Blob, r.Recipients, "a test"); !errors.Is(err, vault.ErrChanged) {
		t.Errorf("in the place of others: %v", err)
	}
	h, err := d.Replace(t.Context(), d.ann, "acme", r.From, r.Blob, r.Recipients, "a test")
	if err != nil || h.Stale(recipients(d)) {
		t.Fatal(err)
	}
	all, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.path, bytes.TrimPrefix(all, old), 0o600); err != nil {
		t.Fatal(err)
	}
	d.opens("acme", first)
	before := filepath.Join(t.TempDir(), "old")
	if err := os.WriteFile(before, old, 0o600); err != nil {
		t.Fatal(err)
	}
	ids, err := seal.LoadIdentities(before)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(t.Context(), "acme", h.Digest, ids); !errors.Is(err, seal.ErrNoIdentity) {
		t.Errorf("the old identity: %v", err)
	}
	if got := d.blobs(); len(got) != 1 {
		t.Errorf("the bucket has %v", got)
	}
}

// TestSweep: what somebody sealed and did not come to record goes, once nobody can be about to;
// what the record names stays, and so does another tenant's. What was removed leaves no trace.
func TestSweep(t *testing.T) {
	d := newDesk(t)
	kept, other := d.set("acme", first), d.set("beta", second)
	b := d.ledger.Bucket(ledger.CredentialsBucket)
	for _, name := range []string{"acme", "acme", "beta"} {
		blob, err := seal.Seal(name, second, recipients(d))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Put(t.Context(), seal.Key(name, blob.Digest()), blob, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	worker := &vault.Directory{Registry: d.registry, Vault: d.Vault, Identities: d.ids}
	if _, err := worker.Reseal(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if got := d.blobs(); len(got) != 5 {
		t.Errorf("what may be recorded yet is gone: the bucket has %v", got)
	}
	if err := d.Sweep(t.Context(), "acme", kept.Digest, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := d.blobs(); len(got) != 3 || !slices.Contains(got, seal.Key("acme", kept.Digest)) || !slices.Contains(got, seal.Key("beta", other.Digest)) {
		t.Errorf("the bucket has %v", got)
	}
	d.opens("acme", first)
	d.set("acme", second)
	js, err := d.ledger.JetStream().Stream(t.Context(), "KV_CREDENTIALS")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := js.GetLastMsgForSubject(t.Context(), "$KV.CREDENTIALS."+seal.Key("acme", kept.Digest)); err != nil || m.Header.Get("Nats-TTL") == "" {
		t.Errorf("the mark that it was removed stays for ever: %v", err)
	}
}

// resealed has a worker seal a tenant's credentials anew.
func (d *desk) resealed(name string) {
	d.Helper()
	worker := &vault.Directory{Registry: d.registry, Vault: d.Vault, Identities: d.ids}
	r, err := worker.Reseal(d.Context(), name)
	if err != nil {
		d.Fatal(err)
	}
	if _, err := d.Replace(d.Context(), d.ann, name, r.From, r.Blob, r.Recipients, "a test"); err != nil {
		d.Fatal(err)
	}
}

func recipients(d *desk) seal.Recipients {
	d.Helper()
	to, err := d.Recipients(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	return to
}

func TestLookup(t *testing.T) {
	d := newDesk(t)
	in := &vault.Directory{Registry: d.registry, Vault: d.Vault, Identities: d.ids}
	blind := &vault.Directory{Registry: d.registry, Vault: d.Vault}
	d.set("acme", first)
	d.set("corr", first)
	d.set("odd", tenant.Credentials{KeyID: "AK1", Secret: "PRIVATE", Account: "one"})
	d.write(registry.TenantKey("acme"), &tenant.Settings{Broker: "paper", RequestsPerMinute: 7, OnFailed: "hold"})
	d.write(registry.TenantKey("corr"), &tenant.Settings{Broker: "broker-api", Account: "acct"})
	d.write(registry.TenantKey("odd"), &tenant.Settings{Broker: "broker-api", Account: "two"})
	d.write(registry.TenantKey("bare"), &tenant.Settings{Broker: "paper"})
	for _, name := range []string{"here", "lured"} {
		d.set(name, tenant.Credentials{KeyID: "AK1", Secret: first.Secret, Broker: "https://paper-api.alpaca.markets"})
		d.write(registry.TenantKey(name), &tenant.Settings{Broker: "paper"})
	}
	d.write(registry.TenantKey("lured"), &tenant.Settings{Broker: "https://broker.mallory.example"})
	d.resealed("lured") // which makes them nobody else's
	if err := d.registry.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		in   *vault.Directory
		want error
		says string
	}{
		{"acme", in, nil, ""},
		{"corr", in, nil, ""},
		{"odd", in, vault.ErrAccount, "odd"},
		{"bare", in, tenant.ErrNoCredentials, "fleetctl credential set"},
		{"here", in, nil, ""},
		{"lured", in, vault.ErrBroker, "credential set"},
		{"nobody", in, tenant.ErrUnknown, "fleetctl tenant add"},
		{"acme", blind, nil, "ORDERFLEET_IDENTITY_FILE"},
	} {
		got, err := tt.in.Lookup(t.Context(), tt.name)
		if tt.says == "" {
			if err != nil || got.Credentials.Secret != first.Secret || got.Keys == "" {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got.Credentials != (tenant.Credentials{}) {
			t.Errorf("%s: credentials come with an error", tt.name)
		}
	}
	got, err := in.Lookup(t.Context(), "acme")
	if err != nil || !got.HoldOnFailed || got.RequestsPerMinute != 7 || got.BaseURL != "https://paper-api.alpaca.markets" {
		t.Errorf("acme: %+v, %v", got, err)
	}
	if got, err := in.Lookup(t.Context(), "corr"); err != nil || got.Credentials.Account != "acct" {
		t.Errorf("corr: account %q, %v", got.Credentials.Account, err)
	}
}

// TestAlwaysSome: whatever is changed at the same time as a worker looks a tenant up, there
// are credentials, and they are some that were set.
func TestAlwaysSome(t *testing.T) {
	d := newDesk(t)
	in := &vault.Directory{Registry: d.registry, Vault: d.Vault, Identities: d.ids}
	d.write(registry.TenantKey("acme"), &tenant.Settings{Broker: "paper"})
	d.set("acme", first)
	if err := d.registry.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	changing, changed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(changed)
		for n := 0; ; n++ {
			select {
			case <-changing:
				return
			default:
			}
			c := tenant.Credentials{KeyID: "AK1", Secret: strings.Repeat("x", 1+n%9)}
			if _, err := d.Set(context.Background(), d.ann, "acme", c, "a test"); err != nil {
				t.Errorf("change %d: %v", n, err)
				return
			}
		}
	}()
	for range 300 {
		got, err := in.Lookup(t.Context(), "acme")
		if err != nil {
			t.Error(err)
			break
		}
		if got.Credentials.KeyID != "AK1" || got.Credentials.Secret == "" {
			t.Error("credentials that nobody set")
		}
		got.Credentials.Wipe()
	}
	close(changing)
	<-changed
}

// TestTwoWrite: of two who change the same credentials at once, one is told.
func TestTwoWrite(t *testing.T) {
	d := newDesk(t)
	for round := range 20 {
		const writers = 4
		ended := make(chan error, writers)
		for i := range writers {
			c := tenant.Credentials{OAuth: strings.Repeat("t", i+1)}
			go func() {
				_, err := d.Set(context.Background(), d.ann, "acme", c, "a test")
				ended <- err
			}()
		}
		won := 0
		for range writers {
			switch err := <-ended; {
			case err == nil:
				won++
			case !errors.Is(err, vault.ErrChanged):
				t.Fatal(err)
			}
		}
		if got := d.blobs(); won == 0 || len(got) != 1 {
			t.Fatalf("round %d: %d won, and the bucket has %v", round, won, got)
		}
	}
}
