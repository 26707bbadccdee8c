//go:build unix

package alpaca

import "syscall"

// idle looks whether the connection is open and silent, without reading from it.
// What a server says unasked is a goodbye (an end, a reset, a TLS alert, a 408):
// the connection is then replaced before a byte of a request is risked on it.
func (c *conn) idle() bool {
	c.silent = false
	return c.raw.Read(c.peek) == nil && c.silent
}

// peekAt asks the system, without waiting, for a byte that stays unread.
func (c *conn) peekAt(fd uintptr) bool {
	_, _, err := syscall.Recvfrom(int(fd), c.peeked[:], syscall.MSG_PEEK)
	c.silent = err == syscall.EAGAIN
	return true
}
