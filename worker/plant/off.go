//go:build !planted

package plant

// Is says whether this worker has a bug.
func Is(Bug) bool { return false }
