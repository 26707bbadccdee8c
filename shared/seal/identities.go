package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/orderfleet/orderfleet/shared/tenant"
)

// maxIdentities bounds an identity file, in bytes.
const maxIdentities = 64 << 10

// Identities are the secret halves, in a file as age's own: one a line, # begins a comment. The
// file is read again when it has changed, so that an identity can be added and removed while
// workers run; a Kubernetes secret that is mounted as a file will do. Safe for concurrent use.
type Identities struct {
	path string

	mu   sync.Mutex
	seen state // of the file as it was read
	all  []age.Identity
}

// state is what changes when a file does.
type state struct {
	size int64
	at   time.Time
	info os.FileInfo // for the inode: a mounted secret is another file
}

// LoadIdentities reads an identity file. No error quotes it.
func LoadIdentities(path string) (*Identities, error) {
	ids := &Identities{path: path}
	if _, err := ids.refresh(true); err != nil {
		return nil, err
	}
	return ids, nil
}

// Open opens a tenant's blob; see the package's [Open]. If no identity fits, the file is read
// once more: the one that does may have been added just now.
func (ids *Identities) Open(name, digest string, b Blob) (tenant.Credentials, error) {
	all, err := ids.refresh(false)
	if all == nil {
		return tenant.Credentials{}, err
	}
	c, err := Open(name, digest, b, all)
	if !errors.Is(err, ErrNoIdentity) {
		return c, err
	}
	if all, err = ids.refresh(true); err != nil {
		return tenant.Credentials{}, fmt.Errorf("%w; and their file cannot be read again: %w", ErrNoIdentity, err)
	}
	return Open(name, digest, b, all)
}

// refresh reads the file if it has changed, or anyway. One that cannot be read, or not just
// now, leaves the identities as they were.
func (ids *Identities) refresh(anyway bool) ([]age.Identity, error) {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	seen, err := look(ids.path)
	if err != nil || !anyway && seen.same(&ids.seen) {
		return ids.all, err
	}
	all, err := readIdentities(ids.path)
	if err == nil {
		ids.seen, ids.all = seen, all
	}
	return ids.all, err
}

func look(path string) (state, error) {
	info, err := os.Stat(path)
	if err != nil {
		return state{}, fmt.Errorf("seal: identities: %w", err)
	}
	return state{info.Size(), info.ModTime(), info}, nil
}

func (s *state) same(o *state) bool {
	return s.size == o.size && s.at.Equal(o.at) && o.info != nil && os.SameFile(s.info, o.info)
}

func readIdentities(path string) ([]age.Identity, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("seal: identities: %w", err)
	}
	defer func() { _ = file.Close() }()
	data := make([]byte, maxIdentities+1)
	defer clear(data)
	n, err := io.ReadFull(file, data)
	switch {
	case err == nil:
		return nil, fmt.Errorf("seal: identities: %s has more than %d bytes", path, maxIdentities)
	case !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("seal: identities: %w", err)
	}
	all, err := age.ParseIdentities(bytes.NewReader(data[:n]))
	if err != nil { // which may quote a part of one
		return nil, fmt.Errorf("seal: identities: %s is no file of age identities: one a line, AGE-SECRET-KEY-1…, as worker keygen writes it", path)
	}
	return all, nil
}

// Keygen makes an identity: the line for a worker's identity file, and its public half.
func Keygen() (identity []byte, recipient string, err error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, "", fmt.Errorf("seal: make an identity: %w", err)
	}
	return []byte(id.String()), id.Recipient().String(), nil
}
