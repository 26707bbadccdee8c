//go:build !unix

package worker

// openFiles is a bound where the system does not say one.
func openFiles() (int, error) { return 8192, nil }
