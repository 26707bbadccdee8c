package parts

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel kill the process when we are gone: a frozen one cannot see
// the end of its input, and other programs do not look for it. The kernel means the thread
// that started it; Go ends none but those that a goroutine was locked to.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
