package fleet

import (
	"context"
	"errors"
)

// Lease is the right to serve a shard, for as long as Serve's context lives.
type Lease struct {
	Shard int
	// Epoch is greater than that of every earlier owner of the shard.
	Epoch uint64
	// Draining is closed when the shard is to be given up in peace: take up nothing
	// new, finish what is under way, return.
	Draining <-chan struct{}
}

// Serve serves a shard until its lease drains (nil), ctx ends, or it fails. It
// returns an error that wraps [ErrLost] if another worker owns the shard.
type Serve func(ctx context.Context, l Lease) error

// Ownership decides which shards this worker serves.
type Ownership interface {
	// Run calls serve, in a goroutine of its own, for every shard that the worker
	// comes to own, and returns when all of them have returned. Closing drain gives
	// all shards up in peace; the end of ctx abandons them.
	Run(ctx context.Context, drain <-chan struct{}, serve Serve) error
}

// ErrLost says that a shard belongs to another worker now.
var ErrLost = errors.New("fleet: another worker owns the shard")
