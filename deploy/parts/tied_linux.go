package parts

import (
	"os/exec"
	"runtime"
	"syscall"
)

// startTied starts a command that the kernel kills when we are gone: a frozen one cannot
// see the end of its input, and other programs do not look for it. By "we" the kernel
// means the thread, so one is kept until release is called, which is after the command's
// end.
func startTied(cmd *exec.Cmd) (release func(), err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- cmd.Start()
		<-ended
	}()
	if err := <-started; err != nil {
		close(ended)
		return nil, err
	}
	return func() { close(ended) }, nil
}
