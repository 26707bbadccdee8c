package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/orderfleet/orderfleet/shared/seal"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var pair = tenant.Credentials{KeyID: "AK-PRIVATE-1", Secret: "PRIVATE-SECRET-2"}

// identity makes one, and its recipient.
func identity(t testing.TB) (age.Identity, string) {
	t.Helper()
	secret, public, err := seal.Keygen()
	if err != nil {
		t.Fatal(err)
	}
	id, err := age.ParseX25519Identity(string(secret))
	if err != nil {
		t.Fatal(err)
	}
	return id, public
}

func sealed(t testing.TB, name string, c tenant.Credentials, to ...string) seal.Blob {
	t.Helper()
	blob, err := seal.Seal(name, c, to)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

// same compares what credentials say.
func same(a, b tenant.Credentials) bool {
	return a.KeyID == b.KeyID && a.Secret == b.Secret && a.OAuth == b.OAuth && a.Account == b.Account
}

func TestSeal(t *testing.T) {
	one, alpha := identity(t)
	two, beta := identity(t)
	stranger, _ := identity(t)
	for name, c := range map[string]tenant.Credentials{
		"a key pair":        pair,
		"a token":           {OAuth: "PRIVATE-TOKEN"},
		"a correspondent's": {KeyID: "CK", Secret: "PRIVATE", Account: "0d18ae51-2f22"},
		"the longest":       {KeyID: strings.Repeat("k", 1024), Secret: strings.Repeat("s", 1024)},
	} {
		t.Run(name, func(t *testing.T) {
			blob := sealed(t, "acme", c, alpha, beta)
			for _, id := range []age.Identity{one, two} {
				got, err := seal.Open("acme", blob.Digest(), blob, []age.Identity{stranger, id})
				if err != nil || !same(got, c) {
					t.Errorf("opened %v, %v", err, same(got, c))
				}
			}
			if _, err := seal.Open("acme", blob.Digest(), blob, []age.Identity{stranger}); !errors.Is(err, seal.ErrNoIdentity) {
				t.Errorf("a stranger: %v", err)
			}
			if _, err := seal.Open("acme", blob.Digest(), blob, nil); !errors.Is(err, seal.ErrNoIdentity) {
				t.Errorf("nobody: %v", err)
			}
			for _, secret := range []string{c.KeyID, c.Secret, c.OAuth, "acme"} {
				if secret != "" && len(secret) > 2 && bytes.Contains(blob, []byte(secret)) {
					t.Error("the blob shows what it holds")
				}
			}
		})
	}
}

// TestBorders: a blob opens as its tenant's, under its own name, and as nothing else.
func TestBorders(t *testing.T) {
	id, alpha := identity(t)
	with := []age.Identity{id}
	acme, beta := sealed(t, "acme", pair, alpha), sealed(t, "beta", pair, alpha)
	if _, err := seal.Open("acme", beta.Digest(), beta, with); !errors.Is(err, seal.ErrForeign) {
		t.Errorf("another tenant's: %v", err)
	}
	if _, err := seal.Open("acme", acme.Digest(), beta, with); !errors.Is(err, seal.ErrOther) {
		t.Errorf("in the place of the recorded one: %v", err)
	}
	if again := sealed(t, "acme", pair, alpha); again.Digest() == acme.Digest() {
		t.Error("the same secret sealed twice can be told to be the same")
	}
	cut := acme[:len(acme)-1]
	if _, err := seal.Open("acme", cut.Digest(), cut, with); err == nil {
		t.Error("what was cut opens")
	}
	flipped := bytes.Clone(acme)
	flipped[len(flipped)-1] ^= 1
	if _, err := seal.Open("acme", seal.Blob(flipped).Digest(), flipped, with); err == nil {
		t.Error("what was changed opens")
	}
	long := make(seal.Blob, 64<<10)
	if _, err := seal.Open("acme", long.Digest(), long, with); !errors.Is(err, seal.ErrOther) {
		t.Errorf("what is too long: %v", err)
	}
}

// TestForeignPlaintext: what was sealed by something else, to the right recipient and under the
// right name, is refused without being quoted.
func TestForeignPlaintext(t *testing.T) {
	id, alpha := identity(t)
	to, err := age.ParseX25519Recipient(alpha)
	if err != nil {
		t.Fatal(err)
	}
	for name, plain := range map[string]string{
		"nothing":          "",
		"JSON":             `{"secret":"PRIVATE"}`,
		"a newer version":  "orderfleet-credentials/2\n\x00\x04acme",
		"cut":              "orderfleet-credentials/1\n\x00\x04acme\x00\x07PRI",
		"more than it has": "orderfleet-credentials/1\n\x00\x04acme\x00\x01a\x00\x07PRIVATE\x00\x00\x00\x00more",
		"half a pair":      "orderfleet-credentials/1\n\x00\x04acme\x00\x00\x00\x07PRIVATE\x00\x00\x00\x00",
		"a header's trick": "orderfleet-credentials/1\n\x00\x04acme\x00\x01a\x00\x09PRI\r\nVATE\x00\x00\x00\x00",
		"very long":        strings.Repeat("PRIVATE", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			w, err := age.Encrypt(&b, to)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(w, plain)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			blob := seal.Blob(b.Bytes())
			_, err = seal.Open("acme", blob.Digest(), blob, []age.Identity{id})
			if err == nil || strings.Contains(err.Error(), "PRI") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestSealRefuses(t *testing.T) {
	secret, public, err := seal.Keygen()
	if err != nil {
		t.Fatal(err)
	}
	good := seal.Recipients{public}
	for _, tt := range []struct {
		name, tenant string
		c            tenant.Credentials
		to           seal.Recipients
		want         string
	}{
		{"no recipients", "acme", pair, nil, "worker keygen"},
		{"no tenant", "a.b", pair, good, "tenant"},
		{"no credentials", "acme", tenant.Credentials{}, good, "no credentials"},
		{"both kinds", "acme", tenant.Credentials{KeyID: "k", Secret: "PRIVATE", OAuth: "PRIVATE"}, good, "which account"},
		{"the secret half", "acme", pair, seal.Recipients{public, string(secret)}, "recipient 2 is no X25519"},
		{"one twice", "acme", pair, seal.Recipients{public, public}, "twice"},
		{"a line break in the secret", "acme", tenant.Credentials{KeyID: "k", Secret: "PRIVATE\n"}, good, "visible"},
		{"a secret too long", "acme", tenant.Credentials{KeyID: "k", Secret: strings.Repeat("PRIVATE", 200)}, good, "longer"},
		{"an account that leaves its path", "acme", tenant.Credentials{KeyID: "k", Secret: "PRIVATE", Account: "../x"}, good, "account"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := seal.Seal(tt.tenant, tt.c, tt.to)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "PRIVATE") || strings.Contains(err.Error(), string(secret)) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestRoundTrip: whatever credentials may be, they come back as they were, in memory that can
// be wiped.
func TestRoundTrip(t *testing.T) {
	id, alpha := identity(t)
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[!-~]{1,64}`)
		c := tenant.Credentials{KeyID: value.Draw(t, "key"), Secret: value.Draw(t, "secret")}
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			c = tenant.Credentials{OAuth: c.Secret}
		case 1:
			c.Account = rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`).Draw(t, "account")
		}
		name := rapid.StringMatching(`[A-Za-z0-9_-]{1,48}`).Draw(t, "tenant")
		blob, err := seal.Seal(name, c, seal.Recipients{alpha})
		if err != nil {
			t.Fatal(err)
		}
		got, err := seal.Open(name, blob.Digest(), blob, []age.Identity{id})
		if err != nil || !same(got, c) {
			t.Fatalf("%v", err)
		}
		held := got
		got.Wipe()
		if strings.Trim(held.KeyID+held.Secret+held.OAuth+held.Account, "\x00") != "" {
			t.Fatal("something of them is left")
		}
	})
}

func write(t *testing.T, path string, lines ...string) {
	t.Helper()
	temp := filepath.Join(t.TempDir(), "new")
	if err := os.WriteFile(temp, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temp, path); err != nil {
		t.Fatal(err)
	}
}

func keygen(t *testing.T) (secret, recipient string) {
	t.Helper()
	line, public, err := seal.Keygen()
	if err != nil {
		t.Fatal(err)
	}
	return string(line), public
}

// TestIdentitiesChange: a new identity opens once it is in the file, and an old one no longer
// when it is gone; a file that is broken meanwhile changes nothing.
func TestIdentitiesChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identities")
	first, alpha := keygen(t)
	second, beta := keygen(t)
	if _, err := seal.LoadIdentities(path); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	write(t, path, "# the workers'", first, "")
	ids, err := seal.LoadIdentities(path)
	if err != nil {
		t.Fatal(err)
	}
	old, young := sealed(t, "acme", pair, alpha), sealed(t, "acme", pair, beta)
	opens := func(when string, b seal.Blob, want error) {
		t.Helper()
		c, err := ids.Open("acme", b.Digest(), b)
		if !errors.Is(err, want) || err == nil && !same(c, pair) {
			t.Errorf("%s: %v", when, err)
		}
	}
	opens("at first, the old one", old, nil)
	opens("at first, the new one", young, seal.ErrNoIdentity)
	write(t, path, first, second)
	opens("both, the old one", old, nil)
	opens("both, the new one", young, nil)
	write(t, path, "AGE-SECRET-KEY-1BROKEN")
	opens("broken, the new one", young, nil)
	write(t, path, second)
	opens("then, the old one", old, seal.ErrNoIdentity)
	opens("then, the new one", young, nil)
}

// TestBadIdentities: what is no identity file is refused, and not quoted.
func TestBadIdentities(t *testing.T) {
	secret, public := keygen(t)
	for name, content := range map[string]string{
		"nothing":              "",
		"the public half":      public,
		"a part of the secret": secret[:40],
		"something behind it":  secret + " # mine",
		"endless":              strings.Repeat("# "+secret+"\n", 2000),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "identities")
			write(t, path, content)
			_, err := seal.LoadIdentities(path)
			if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), secret[20:36]) {
				t.Errorf("%v", err)
			}
		})
	}
}
