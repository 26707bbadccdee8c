package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

var (
	// ErrOther says that the blob does not have the content that its name promises.
	ErrOther = errors.New("seal: the sealed credentials are not those that were recorded: somebody put others in their place")
	// ErrForeign says that the credentials were sealed for another tenant.
	ErrForeign = errors.New("seal: the credentials were sealed for another tenant")
	// ErrNoIdentity says that none of the identities opens the blob.
	ErrNoIdentity = errors.New("seal: none of the identities opens the credentials: they were sealed to other recipients")
)

// MaxBlob bounds a blob, in bytes: its plaintext, and a line or two for each of many recipients.
const MaxBlob = 32 << 10

// Blob is sealed credentials.
type Blob []byte

// Digest names the blob after its content.
func (b Blob) Digest() string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Key is where the blob of a tenant lies in the bucket of credentials.
func Key(name, digest string) string { return name + "." + digest }

// Seal closes a tenant's credentials to recipients. They stay the caller's, to wipe.
func Seal(name string, c tenant.Credentials, to Recipients) (Blob, error) {
	if err := order.ValidTenant(name); err != nil {
		return nil, fmt.Errorf("seal: tenant %q: %w", name, err)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	recipients, err := to.parse()
	if err != nil {
		return nil, err
	}
	plain, err := encode(name, &c)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	var blob bytes.Buffer
	w, err := age.Encrypt(&blob, recipients...)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return blob.Bytes(), nil
}

// Open opens a tenant's blob that was recorded under a digest, and returns the credentials,
// which are the caller's to wipe. It fails with [ErrOther], [ErrForeign], [ErrNoIdentity], or
// since what was sealed makes no sense. No error quotes it.
func Open(name, digest string, b Blob, with []age.Identity) (c tenant.Credentials, err error) {
	if len(b) > MaxBlob || b.Digest() != digest {
		return c, ErrOther
	}
	plain, err := unseal(b, with)
	defer func() { clear(plain) }()
	if err != nil {
		return c, err
	}
	sealed, c, err := decode(plain)
	switch {
	case err != nil:
		return c, err
	case sealed != name:
		c.Wipe()
		return c, ErrForeign
	}
	return c, nil
}

// unseal decrypts a blob, into memory that the caller wipes.
func unseal(b Blob, with []age.Identity) ([]byte, error) {
	if len(with) == 0 {
		return nil, ErrNoIdentity
	}
	r, err := age.Decrypt(bytes.NewReader(b), with...)
	if _, unknown := errors.AsType[*age.NoIdentityMatchError](err); unknown {
		return nil, ErrNoIdentity
	}
	if err != nil {
		return nil, fmt.Errorf("seal: open: %w", err)
	}
	plain := make([]byte, maxPlain+1)
	n, err := io.ReadFull(r, plain)
	if err == nil {
		return plain, errPlain
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return plain, fmt.Errorf("seal: open: %w", err)
	}
	return plain[:n], nil
}
