package test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/producer"
)

// TestDiskFull: the disk of the server is full, which the server's own limits did not
// foresee, and then has room again.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("no file system of a known size can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	server := &server{T: t}
	server.options.Dir, server.options.Shards = filepath.Join(dir, "nats"), troubledShards
	server.begin()
	s := troubled(t, server.running.URL())
	s.work()
	l := s.load(4)
	l.acknowledged(50)
	ballast := filepath.Join(dir, "ballast")
	if err := fill(ballast); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	// The server answers nothing now, and does not take up again when there is room: it has
	// to be started anew. The others wait for that.
	pause(t, time.Second) // what was on its way
	before := l.count()
	pause(t, 3*time.Second)
	if after := l.count(); after != before {
		t.Errorf("%d acknowledged on a full disk", after-before)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	server.running.Stop()
	server.start()
	t.Logf("%d acknowledged before the disk was full", before)
	l.acknowledged(50)
	receipts, refused := l.stop()
	for _, err := range refused {
		if !errors.Is(err, producer.ErrFull) {
			t.Errorf("refused with %v", err)
		}
	}
	s.settle(receipts)
}

// fill makes a file as long as there is room.
func fill(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for n := 1 << 20; ; {
		if _, err = f.WriteString(strings.Repeat("x", n)); err == nil {
			continue
		}
		if n >>= 1; n == 0 {
			return err
		}
	}
}
