//go:build !unix

package alpaca

// idle would look for the end of the connection; where the system offers no way
// to peek, a connection is used once.
func (c *conn) idle() bool { return false }

func (c *conn) peekAt(uintptr) bool { return true }
