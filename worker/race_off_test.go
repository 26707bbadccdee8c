//go:build !race

package worker_test

// flood is how many intents a tenant floods the fleet with.
const flood = 50_000
