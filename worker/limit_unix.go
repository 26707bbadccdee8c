//go:build unix

package worker

import (
	"fmt"
	"math"
	"syscall"
)

// openFiles is how many files this process may have open. The Go runtime has raised
// the soft limit to the hard one already.
func openFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("worker: read the limit of open files: %w", err)
	}
	return int(min(limit.Cur, math.MaxInt32)), nil
}
