package parts

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Process is one part of the system, running.
type Process struct {
	ctx   context.Context // whose end kills it
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
	// release lets go of what ties the process to us. Called once it has ended.
	release func()
}

// Spawn starts this program in a role and reads the line in which it says, in JSON, that
// it is ready. The end of ctx kills it; it has to be stopped all the same.
func Spawn(ctx context.Context, ready any, role string, args ...string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("parts: find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, append([]string{Arg, role}, args...)...)
	cmd.Stderr = os.Stderr
	p, err := Start(ctx, role, cmd)
	if err != nil {
		return nil, err
	}
	if err := p.Read(ready); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// Start starts another program as a part, by the name that errors give it. ctx is that of
// the command. It does not outlive this process either, on Linux, be it frozen.
func Start(ctx context.Context, name string, cmd *exec.Cmd) (*Process, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("parts: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("parts: %w", err)
	}
	release, err := startTied(cmd)
	if err != nil {
		return nil, fmt.Errorf("parts: start %s: %w", name, err)
	}
	return &Process{ctx, name, cmd, stdin, bufio.NewScanner(stdout), release}, nil
}

// Read reads the next line of JSON that the process says.
func (p *Process) Read(into any) error {
	if !p.lines.Scan() {
		if p.ctx.Err() != nil {
			return context.Cause(p.ctx)
		}
		return fmt.Errorf("parts: %s ended before it was done", p.name)
	}
	if err := json.Unmarshal(p.lines.Bytes(), into); err != nil {
		return fmt.Errorf("parts: %s says %q: %w", p.name, p.lines.Text(), err)
	}
	return nil
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the process with SIGKILL and waits for it.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("parts: kill %s: %w", p.name, err)
	}
	p.await() //nolint:errcheck // it was killed
	return nil
}

// Signal sends the process a signal and waits for nothing.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("parts: signal %s: %w", p.name, err)
	}
	return nil
}

// Wait waits until the process has ended by itself or by a signal, and says how. Call one
// of Wait, Kill and Stop, once.
func (p *Process) Wait() error {
	if err := p.await(); err != nil {
		return fmt.Errorf("parts: %s: %w", p.name, err)
	}
	return nil
}

// stopPatience is longer than any part takes to end: a worker drains for 25 s at most.
const stopPatience = 40 * time.Second

// Stop ends the process in peace and waits for it. One that does not end is killed, which
// is an error. That it was killed with the end of its context is none.
func (p *Process) Stop() error {
	p.stdin.Close() //nolint:errcheck // it ends either way
	overdue := time.AfterFunc(stopPatience, func() {
		p.cmd.Process.Kill() //nolint:errcheck // it may just have ended
	})
	defer overdue.Stop()
	if err := p.await(); err != nil && p.ctx.Err() == nil {
		if !overdue.Stop() {
			err = fmt.Errorf("it did not end within %s: %w", stopPatience, err)
		}
		return fmt.Errorf("parts: %s: %w", p.name, err)
	}
	return nil
}

func (p *Process) await() error {
	defer p.release()
	return p.cmd.Wait()
}

// AwaitParent waits until the parent ends this part, or is gone, or ctx ends.
func AwaitParent(ctx context.Context) {
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
