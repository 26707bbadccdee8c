//go:build race

package worker_test

// flood is how many intents a tenant floods the fleet with: the race detector is slow.
const flood = 5_000
