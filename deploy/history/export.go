package history

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/orderfleet/orderfleet/shared/ledger"
)

// window is how far back a file's compression looks, in bytes: what a reader needs in memory.
const window = 4 << 20

// fileName is the name of a shard's file.
func fileName(shard int) string { return ledger.StreamName(shard) + ".jsonl.zst" }

// Export writes a stretch of a source to a directory, which must not be there or be empty, or
// to a new file if path ends in .zip. It returns the manifest. After an error there is
// no export; what cannot be removed of it has no manifest.
func Export(ctx context.Context, src Source, s Stretch, path string, progress Progress) (*Manifest, error) {
	to, err := newStore(path)
	if err != nil {
		return nil, fmt.Errorf("history: export: %w", err)
	}
	m, err := export(ctx, src, s, to, progress)
	if err != nil {
		to.abandon()
		return nil, err
	}
	return m, nil
}

func export(ctx context.Context, src Source, s Stretch, to store, progress Progress) (*Manifest, error) {
	extent := src.Extent()
	m := &Manifest{Version: formatVersion, Source: src.Name(), Taken: extent.AsOf, Shards: src.Shards(), Stretch: s.within(extent.Stretch), Files: []File{}}
	if m.Taken.IsZero() {
		m.Taken = time.Now().UTC()
	}
	if at, ok := src.(interface{ where() string }); ok {
		m.Source += " at " + at.where()
	}
	w := &writing{store: to, manifest: m}
	err := src.Read(ctx, s, progress, func(shard int, e ledger.Entry) error {
		if err := w.write(shard, &e); err != nil {
			return fmt.Errorf("history: export: %w", err)
		}
		return nil
	})
	if err = errors.Join(err, w.finish()); err != nil {
		return nil, err
	}
	data, err := seal(m)
	if err != nil {
		return nil, err
	}
	if err := to.commit(data); err != nil {
		return nil, fmt.Errorf("history: export: %w", err)
	}
	return m, nil
}

// writing is an export under way: the file of one shard at a time.
type writing struct {
	store    store
	manifest *Manifest
	line     []byte

	// Of the file under way; file is nil without one.
	at     File
	file   io.WriteCloser
	sum    hash.Hash
	buffer *bufio.Writer
	pack   *zstd.Encoder
}

func (w *writing) write(shard int, e *ledger.Entry) (err error) {
	if w.file == nil || w.at.Shard != shard {
		if err := w.begin(shard, e); err != nil {
			return err
		}
	}
	if w.line, err = appendLine(w.line[:0], e); err != nil {
		return err
	}
	w.at.Messages++
	w.at.Last, w.at.Ends = e.Seq, e.Time.UTC()
	_, err = w.pack.Write(w.line)
	return err
}

// begin begins the file of a shard.
func (w *writing) begin(shard int, first *ledger.Entry) error {
	if err := w.finish(); err != nil {
		return err
	}
	file, err := w.store.create(fileName(shard))
	if err != nil {
		return err
	}
	w.at = File{Shard: shard, Name: fileName(shard), First: first.Seq, Begins: first.Time.UTC()}
	w.sum = sha256.New()
	w.buffer = bufio.NewWriterSize(io.MultiWriter(file, w.sum, (*counter)(&w.at.Bytes)), 1<<16)
	if w.pack, err = zstd.NewWriter(w.buffer, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window)); err != nil {
		return errors.Join(err, file.Close())
	}
	w.file = file
	return nil
}

// finish ends the file under way, if there is one.
func (w *writing) finish() error {
	if w.file == nil {
		return nil
	}
	file := w.file
	w.file = nil
	if err := errors.Join(w.pack.Close(), w.buffer.Flush(), file.Close()); err != nil {
		return fmt.Errorf("history: export: %w", err)
	}
	w.at.SHA256 = hex.EncodeToString(w.sum.Sum(nil))
	w.manifest.Messages += w.at.Messages
	w.manifest.Files = append(w.manifest.Files, w.at)
	return nil
}

// counter counts what is written.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
