package replay

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Lines is what an export wrote, and what it left out.
type Lines struct {
	Written int `json:"written"`
	// Malformed were no intents, and Repeated bore an id that their tenant had used before:
	// a producer would import neither.
	Malformed int `json:"malformed"`
	Repeated  int `json:"repeated"`
}

func (l Lines) String() string {
	return fmt.Sprintf("%d intents written, %d malformed and %d with a repeated id left out", l.Written, l.Malformed, l.Repeated)
}

// Export writes what was asked as JSON lines that a producer imports. An intent that might
// still wait when it was published gets as long from its import on; another one keeps its
// expiry.
func Export(w io.Writer, all []*Asked) (Lines, error) {
	var sum Lines
	used := make(map[string]bool)
	out := bufio.NewWriter(w)
	for _, a := range all {
		if !a.valid() || order.ValidTenant(a.Tenant) != nil {
			sum.Malformed++
			continue
		}
		id := order.ClientOrderID(a.Tenant, a.ID)
		if used[id] || a.Status() == order.Duplicate {
			sum.Repeated++
			continue
		}
		used[id] = true
		line, err := a.line()
		if err == nil {
			_, err = out.Write(append(line, '\n'))
		}
		if err != nil {
			return sum, fmt.Errorf("replay: write intent %s of tenant %s: %w", a.ID, a.Tenant, err)
		}
		sum.Written++
	}
	if err := out.Flush(); err != nil {
		return sum, fmt.Errorf("replay: write intents: %w", err)
	}
	return sum, nil
}

// line is the intent as a feed has it: with the members tenant and expires_in beside its own.
func (a *Asked) line() ([]byte, error) {
	data, err := order.EncodeIntent(*a.Intent)
	if err != nil {
		return nil, err
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, err
	}
	texts := map[string]string{"tenant": a.Tenant}
	if d := a.lifetime(); d > 0 {
		delete(members, "expires_at")
		texts["expires_in"] = d.String()
	}
	for name, text := range texts {
		if members[name], err = json.Marshal(text); err != nil {
			return nil, err
		}
	}
	return json.Marshal(members, json.Deterministic(true))
}

// ErrNoFile says that what is there already is no file that could be replaced.
var ErrNoFile = errors.New("it is there, and no file; - is standard output")

// ExportFile is [Export] to a file, which is there whole or as it was before. It replaces
// nothing but files: no device, no directory, no link.
func ExportFile(path string, all []*Asked) (sum Lines, err error) {
	if there, err := os.Lstat(path); err == nil && !there.Mode().IsRegular() {
		return sum, fmt.Errorf("replay: %s: %w", path, ErrNoFile)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
	if err != nil {
		return sum, fmt.Errorf("replay: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if sum, err = Export(f, all); err != nil {
		return sum, err
	}
	if err = f.Sync(); err != nil {
		return sum, fmt.Errorf("replay: %w", err)
	}
	if err = f.Close(); err != nil {
		return sum, fmt.Errorf("replay: %w", err)
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return sum, fmt.Errorf("replay: %w", err)
	}
	return sum, nil
}
