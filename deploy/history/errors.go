package history

import (
	"errors"
	"fmt"
)

var (
	// ErrNoManifest says that there is no export, or only what an interrupted one left behind.
	ErrNoManifest = errors.New("it has no manifest: it is no export, or one that was interrupted")
	// ErrExists says that an export would overwrite something.
	ErrExists = errors.New("it exists already; an export overwrites nothing")
)

// DamagedError says that an export is not as it was written.
type DamagedError struct {
	File string // within the export
	Err  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("history: the export is damaged: %s: %v", e.File, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

func damaged(file string, err error) error { return &DamagedError{file, err} }

// What is wrong with a file of an export.
var (
	errChecksum = errors.New("its checksum is another one")
	errContent  = errors.New("what is in it is not what the manifest says")
)

// VersionError says that an export has another format than this program reads.
type VersionError struct{ Version int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("history: the export has format version %d; this program reads version %d", e.Version, formatVersion)
}

// OutsideError says that a stretch was asked for that an export does not have all of.
type OutsideError struct{ What string }

func (e *OutsideError) Error() string { return "history: outside of the export: " + e.What }
