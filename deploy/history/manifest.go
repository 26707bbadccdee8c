package history

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	manifestName = "manifest.json"
	// formatVersion is raised by whatever an older reader would read wrongly.
	formatVersion = 1
	// maxManifest bounds what is read of one: a thousand shards need a third of it.
	maxManifest = 1 << 20
)

// Manifest says what is in an export. Its names in JSON are part of the format.
type Manifest struct {
	Version int `json:"version"`
	// Source says where it was read from, Taken when the reading began.
	Source string    `json:"source"`
	Taken  time.Time `json:"taken"`
	// Shards is how many the ledger has.
	Shards  int     `json:"shards"`
	Stretch Stretch `json:"stretch"`
	// Messages is how many there are in all files.
	Messages int `json:"messages"`
	// Files are those of the shards that have messages in the stretch, in their order.
	Files []File `json:"files"`
}

// File is what is in the file of a shard.
type File struct {
	Shard    int    `json:"shard"`
	Name     string `json:"name"`
	SHA256   string `json:"sha256"`
	Bytes    int64  `json:"bytes"`
	Messages int    `json:"messages"`
	// First and Last are the sequence numbers at its ends, Begins and Ends their times.
	First  uint64    `json:"first_seq"`
	Last   uint64    `json:"last_seq"`
	Begins time.Time `json:"begins"`
	Ends   time.Time `json:"ends"`
}

// sealed is a manifest on disk, with a checksum of its own.
type sealed struct {
	Manifest jsontext.Value `json:"manifest"`
	SHA256   string         `json:"sha256"` // of the manifest, written compactly
}

// seal writes a manifest.
func seal(m *Manifest) ([]byte, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("history: manifest: %w", err)
	}
	return json.Marshal(sealed{data, checksum(data)}, jsontext.WithIndent("  "))
}

// unseal reads a manifest.
func unseal(data []byte) (*Manifest, error) {
	var s sealed
	if err := json.Unmarshal(data, &s, json.RejectUnknownMembers(true)); err != nil {
		return nil, damaged(manifestName, err)
	}
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(s.Manifest, &version); err == nil && version.Version != formatVersion {
		return nil, &VersionError{version.Version}
	}
	if err := s.Manifest.Compact(); err != nil {
		return nil, damaged(manifestName, err)
	}
	if checksum(s.Manifest) != s.SHA256 {
		return nil, damaged(manifestName, errChecksum)
	}
	m := new(Manifest)
	if err := json.Unmarshal(s.Manifest, m); err != nil {
		return nil, damaged(manifestName, err)
	}
	return m, m.check()
}

// check says what in a manifest cannot be: its checksum shows only that nobody changed it by
// accident.
func (m *Manifest) check() error {
	messages, last := 0, -1
	for _, f := range m.Files {
		if f.Shard <= last || f.Shard >= m.Shards || f.Name != fileName(f.Shard) || f.Messages < 1 || f.First > f.Last {
			return damaged(manifestName, fmt.Errorf("%s of shard %d is not as files of an export are", f.Name, f.Shard))
		}
		messages, last = messages+f.Messages, f.Shard
	}
	if messages != m.Messages || m.Shards < 1 {
		return damaged(manifestName, errors.New("its counts do not agree"))
	}
	return nil
}

// readManifest reads the manifest of an export.
func readManifest(files fs.FS) (*Manifest, error) {
	f, err := files.Open(manifestName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNoManifest
	case err != nil:
		return nil, fmt.Errorf("history: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return nil, damaged(manifestName, err)
	}
	return unseal(data)
}

func checksum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
