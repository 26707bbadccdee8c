package chaos

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// poolOf is a pool of one worker, which is a shell script that was started.
func poolOf(t *testing.T, script string) (*pool, *worker) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there is no shell")
	}
	dir := t.TempDir()
	command := filepath.Join(dir, "worker")
	if err := os.WriteFile(command, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := &pool{alive: t.Context(), command: command, dir: dir, patience: 100 * time.Millisecond}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.start(0); err != nil {
		t.Fatal(err)
	}
	return p, p.workers[0]
}

// A worker that does not end when it is told to is killed, and named.
func TestStuckWorker(t *testing.T) {
	p, w := poolOf(t, "trap '' TERM; echo deaf >&2; exec sleep 1000")
	for lastLine(filepath.Join(p.dir, w.name+".log")) != "deaf" {
		if !sleep(t.Context(), 5*time.Millisecond) {
			t.Fatal("it never said that it is deaf")
		}
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if flaws := strings.Join(p.flaws(), "\n"); !strings.Contains(flaws, "worker0-1 did not end") {
		t.Errorf("said %q", flaws)
	}
}

// A worker that ends by itself is a flaw of the run, with its last words.
func TestWorkerEndsByItself(t *testing.T) {
	p, w := poolOf(t, "echo oh dear >&2; exit 3")
	<-w.ended
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	flaws := strings.Join(p.flaws(), "\n")
	for _, word := range []string{"by themselves", "worker0-", "oh dear", "exit status 3"} {
		if !strings.Contains(flaws, word) {
			t.Errorf("said %q, without %q", flaws, word)
		}
	}
}
