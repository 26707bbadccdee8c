package history

import (
	"archive/zip"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/orderfleet/orderfleet/shared/ledger"
)

// Archive is an export, read as a source. Safe for concurrent use; close it.
type Archive struct {
	path     string
	files    fs.FS
	close    func() error
	manifest *Manifest
}

var _ Source = (*Archive)(nil)

// Open opens an export: a directory or a zip file. It fails with [ErrNoManifest],
// [*DamagedError] or [*VersionError] if that is no export that can be read.
func Open(path string) (*Archive, error) {
	a := &Archive{path: path, close: func() error { return nil }}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("history: %w", err)
	case info.IsDir():
		a.files = os.DirFS(path)
	default:
		z, err := zip.OpenReader(path)
		if err != nil {
			return nil, damaged(path, err)
		}
		a.files, a.close = z, z.Close
	}
	if a.manifest, err = readManifest(a.files); err != nil {
		if errors.Is(err, ErrNoManifest) {
			err = fmt.Errorf("history: %s: %w", path, err)
		}
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// Close gives back what the archive holds open.
func (a *Archive) Close() error { return a.close() }

// Manifest says what is in the export.
func (a *Archive) Manifest() Manifest { return *a.manifest }

// Name implements [Source].
func (a *Archive) Name() string { return "the export " + a.path }

// Shards implements [Source].
func (a *Archive) Shards() int { return a.manifest.Shards }

// Extent implements [Source].
func (a *Archive) Extent() Extent { return Extent{a.manifest.Stretch, a.manifest.Taken} }

// Read implements [Source]. It fails with an [*OutsideError] if the stretch has bounds or
// tenants that the export does not reach, and with a [*DamagedError] if a file is not as it
// was written; nothing of that file was delivered then, unless its checksum is right.
func (a *Archive) Read(ctx context.Context, s Stretch, progress Progress, deliver func(int, ledger.Entry) error) error {
	if err := a.Extent().Has(s); err != nil {
		return err
	}
	touched := s.shards(a.Shards())
	for i := range a.manifest.Files {
		f := &a.manifest.Files[i]
		if !slices.Contains(touched, f.Shard) || f.Last < s.From || f.Ends.Before(s.Since) {
			continue
		}
		if err := a.verify(ctx, f, progress); err != nil {
			return err
		}
		if err := a.read(ctx, f, s, progress, deliver); err != nil && !errors.Is(err, ErrSkipShard) {
			return err
		}
	}
	return nil
}

// verify compares a file with its checksum.
func (a *Archive) verify(ctx context.Context, f *File, progress Progress) error {
	file, err := a.files.Open(f.Name)
	if err != nil {
		return damaged(f.Name, err)
	}
	defer file.Close() //nolint:errcheck // only read
	sum, buf := sha256.New(), make([]byte, 1<<18)
	for done := int64(0); ; {
		n, err := file.Read(buf)
		sum.Write(buf[:n])
		done += int64(n)
		progress("verifying "+f.Name, int(done), int(f.Bytes))
		switch {
		case errors.Is(err, io.EOF):
			if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 || done != f.Bytes {
				return damaged(f.Name, errChecksum)
			}
			return nil
		case err != nil:
			return damaged(f.Name, err)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
	}
}

// read delivers what a file has of a stretch.
func (a *Archive) read(ctx context.Context, f *File, s Stretch, progress Progress, deliver func(int, ledger.Entry) error) error {
	file, err := a.files.Open(f.Name)
	if err != nil {
		return damaged(f.Name, err)
	}
	defer file.Close() //nolint:errcheck // only read
	unpack, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window))
	if err != nil {
		return damaged(f.Name, err)
	}
	defer unpack.Close()
	lines := bufio.NewScanner(unpack)
	lines.Buffer(make([]byte, 1<<16), maxLine)
	n, last := 0, f.First-1
	for lines.Scan() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e, err := parseLine(lines.Bytes())
		if err != nil {
			return damaged(f.Name, err)
		}
		if e.Seq <= last || e.Seq > f.Last {
			return damaged(f.Name, errContent)
		}
		n, last = n+1, e.Seq
		progress("reading "+f.Name, n, f.Messages)
		switch {
		case s.After(e):
			progress("reading "+f.Name, f.Messages, f.Messages)
			return nil
		case s.Holds(e):
			if err := deliver(f.Shard, e); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return damaged(f.Name, err)
	}
	if n != f.Messages || last != f.Last {
		return damaged(f.Name, errContent)
	}
	return nil
}
