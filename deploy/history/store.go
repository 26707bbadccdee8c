package history

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// store takes the files of an export, one after the other. Nothing that it holds is an
// export before commit.
type store interface {
	// create begins the next file. Its writer is closed before anything else is done.
	create(name string) (io.WriteCloser, error)
	// commit makes an export of it: with its manifest it is there, all at once.
	commit(manifest []byte) error
	// abandon removes it.
	abandon()
}

// newStore makes the store of an export that will be at path: a zip file if it is named so,
// else a directory.
func newStore(path string) (store, error) {
	if strings.EqualFold(filepath.Ext(path), ".zip") {
		return newZip(path)
	}
	return newDirectory(path)
}

// directory is a store in a directory of its own.
type directory struct {
	path  string
	made  bool // by us
	files []string
}

func newDirectory(path string) (*directory, error) {
	err := os.Mkdir(path, 0o700)
	if !errors.Is(err, fs.ErrExist) {
		return &directory{path: path, made: true}, err
	}
	there, err := os.ReadDir(path)
	switch {
	case err != nil:
		return nil, err
	case len(there) > 0:
		return nil, fmt.Errorf("%w: %s is not empty", ErrExists, path)
	}
	return &directory{path: path}, nil
}

func (d *directory) create(name string) (io.WriteCloser, error) {
	path := filepath.Join(d.path, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	d.files = append(d.files, path)
	return synced{f}, nil
}

func (d *directory) commit(manifest []byte) error {
	const beside = manifestName + ".partial"
	w, err := d.create(beside)
	if err != nil {
		return err
	}
	_, err = w.Write(manifest)
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	return place(filepath.Join(d.path, beside), filepath.Join(d.path, manifestName))
}

func (d *directory) abandon() {
	for _, path := range d.files {
		_ = os.Remove(path) // what stays is no export
	}
	if d.made {
		_ = os.Remove(d.path)
	}
}

// zipFile is a store in a zip file, which gets its name last.
type zipFile struct {
	path, partial string
	file          *os.File
	zip           *zip.Writer
}

func newZip(path string) (*zipFile, error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fmt.Errorf("%w: %s", ErrExists, path)
		}
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".partial-*") // for its owner only
	if err != nil {
		return nil, err
	}
	return &zipFile{path, f.Name(), f, zip.NewWriter(f)}, nil
}

func (z *zipFile) create(name string) (io.WriteCloser, error) {
	w, err := z.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store}) // it is compressed already
	return unclosed{w}, err
}

func (z *zipFile) commit(manifest []byte) error {
	w, err := z.create(manifestName)
	if err != nil {
		return err
	}
	_, err = w.Write(manifest)
	if err = errors.Join(err, z.zip.Close()); err != nil {
		return err
	}
	if err := (synced{z.file}).Close(); err != nil {
		return err
	}
	return place(z.partial, z.path)
}

func (z *zipFile) abandon() {
	_ = z.file.Close()
	_ = os.Remove(z.partial)
}

// place gives a file its name, and waits until that is on disk.
func place(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// synced is a file that is on disk once it is closed.
type synced struct{ *os.File }

func (f synced) Close() error { return errors.Join(f.Sync(), f.File.Close()) }

// unclosed is a writer that needs no end.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }
