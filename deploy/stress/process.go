package stress

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// process is one part of the system, running.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
}

// spawn starts this program in a role and reads the line in which it says, in JSON, that
// it is ready.
func spawn(ctx context.Context, ready any, role string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("stress: find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, append([]string{RoleArg, role}, args...)...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("stress: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("stress: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("stress: start %s: %w", role, err)
	}
	p := &process{role, cmd, stdin, bufio.NewScanner(stdout)}
	if err := p.read(ready); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// read reads one line of JSON that the process says.
func (p *process) read(into any) error {
	if !p.lines.Scan() {
		return fmt.Errorf("stress: %s ended before it was done", p.name)
	}
	if err := json.Unmarshal(p.lines.Bytes(), into); err != nil {
		return fmt.Errorf("stress: %s says %q: %w", p.name, p.lines.Text(), err)
	}
	return nil
}

// stop ends the process and waits for it.
func (p *process) stop() error {
	p.stdin.Close() //nolint:errcheck // it ends either way
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("stress: %s: %w", p.name, err)
	}
	return nil
}

// usage is what a process has used.
type usage struct {
	CPU time.Duration // user and system
	RSS int64         // resident bytes, now
}

// clockTick is the unit of processor time in /proc/<pid>/stat, on every Linux.
const clockTick = 10 * time.Millisecond

// usage reads what the process has used so far.
func (p *process) usage() (usage, error) { return usageOf(p.cmd.Process.Pid) }

func usageOf(pid int) (usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, fmt.Errorf("stress: figures of a process are read from /proc, which only Linux has: %w", err)
	}
	// The name of the program, in parentheses, may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var n [3]int64 // user, system ticks; resident pages
	for i, at := range []int{11, 12, 21} {
		if n[i], err = strconv.ParseInt(fields[at], 10, 64); err != nil {
			return usage{}, fmt.Errorf("stress: /proc/%d/stat: %w", pid, err)
		}
	}
	return usage{time.Duration(n[0]+n[1]) * clockTick, n[2] * int64(os.Getpagesize())}, nil
}

// awaitEOF waits until the parent has gone, or ctx ends.
func awaitEOF(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // any end will do
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}
