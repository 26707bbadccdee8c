package seal

import (
	"bytes"
	"testing"

	"filippo.io/age"

	"github.com/orderfleet/orderfleet/shared/tenant"
)

// Whatever is decrypted is refused, or is credentials of use that are written the same.
func FuzzDecode(f *testing.F) {
	for _, c := range []tenant.Credentials{{KeyID: "k", Secret: "s"}, {OAuth: "t"}, {KeyID: "k", Secret: "s", Account: "a"}, {OAuth: "t", Broker: "https://a"}} {
		plain, err := encode("acme", &c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain)
		f.Add(plain[:len(plain)-1])
	}
	f.Add([]byte(mark + "\xff\xff"))
	f.Fuzz(func(t *testing.T, plain []byte) {
		name, c, err := decode(plain)
		if err != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		if again, err := encode(name, &c); err != nil || !bytes.Equal(again, plain) {
			t.Errorf("%q became %q, %v", plain, again, err)
		}
	})
}

// Whatever lies in the bucket opens to nothing, unless it was sealed.
func FuzzOpen(f *testing.F) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	blob, err := Seal("acme", tenant.Credentials{OAuth: "t"}, Recipients{id.Recipient().String()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(blob))
	f.Add([]byte("age-encryption.org/v1\n-> X25519 \n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := Blob(data)
		if _, err := Open("acme", b.Digest(), b, []age.Identity{id}); err == nil && !bytes.Equal(data, blob) {
			t.Errorf("%q opens", data)
		}
	})
}
