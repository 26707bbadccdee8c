//go:build unix

package alpaca

import "syscall"

// idle looks whether the connection is open and silent, without reading from it.
// What a server says unasked is a goodbye (an end, a reset, a TLS alert, a 408):
// the connection is then replaced before a byte of a request is risked on it.
func (c *conn) idle() bool {
	var silent bool
	err := c.raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
		silent = err == syscall.EAGAIN
		return true
	})
	return err == nil && silent
}
