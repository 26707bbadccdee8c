//go:build unix

package parts

import "syscall"

// Freeze stops the process where it stands (SIGSTOP), until [Process.Thaw].
func (p *Process) Freeze() error { return p.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on (SIGCONT).
func (p *Process) Thaw() error { return p.Signal(syscall.SIGCONT) }

// Terminate asks the process to end (SIGTERM).
func (p *Process) Terminate() error { return p.Signal(syscall.SIGTERM) }
