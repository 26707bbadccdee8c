package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Serve serves a shard until its lease drains (nil), ctx ends, or it fails, and says what
// it leaves to the next owner; whatever it says counts only without an error. It returns
// an error that wraps [ErrLost] if another worker owns the shard, a [*NewerError] if it
// can say since which epoch.
type Serve func(ctx context.Context, l Lease) (Legacy, error)

// ErrLost says that a shard belongs, or may belong, to another worker now.
var ErrLost = errors.New("fleet: another worker may own the shard")

// NewerError is [ErrLost], learned from an outcome of the newer owner.
type NewerError struct{ Epoch uint64 }

func (e *NewerError) Error() string {
	return fmt.Sprintf("fleet: another worker has owned the shard since epoch %d", e.Epoch)
}

// Is makes it an [ErrLost].
func (e *NewerError) Is(target error) bool { return target == ErrLost }

// Lease is the right to serve a shard.
type Lease struct {
	Shard int
	// Epoch is greater than that of every earlier owner of the shard.
	Epoch uint64
	// Mark is where to begin reading.
	Mark Mark
	// Legacy is what the owner before left behind.
	Legacy Legacy
	// Draining is closed when the shard is to be given up in peace: take up nothing
	// new, finish what is under way, return.
	Draining <-chan struct{}

	term *deadline
	mark *atomic.Pointer[Mark] // the shard's goroutine writes it, the holding's reads it
}

// Legacy is what an owner may leave at the broker without an outcome that tells of it.
type Legacy struct {
	// Clean: it gave the shard up in peace, and only intents of Tenants are in doubt.
	// Otherwise those of every tenant are.
	Clean   bool
	Tenants []string
	// Before is when it can have written its last request, at the latest. The next owner
	// learns it from the fleet.
	Before time.Time
}

// Until is the moment from which on no request may be written: the owner's heartbeats are
// not acknowledged, and somebody else may own the shard soon. It moves on with every
// heartbeat; ask again. The zero time is never.
func (l Lease) Until() time.Time {
	if l.term == nil {
		return time.Time{}
	}
	return l.term.load()
}

// Settled says where the next owner may begin to read. Nobody changes m afterwards.
func (l Lease) Settled(m Mark) {
	if l.mark != nil {
		l.mark.Store(&m)
	}
}

// deadline is until when a member may write requests, on this process's monotonic clock.
// The term's goroutine writes it, sessions read it.
type deadline struct {
	origin time.Time
	after  atomic.Int64 // nanoseconds after origin
}

func newDeadline() *deadline { return &deadline{origin: time.Now()} }

func (d *deadline) store(t time.Time) { d.after.Store(int64(t.Sub(d.origin))) }
func (d *deadline) load() time.Time   { return d.origin.Add(time.Duration(d.after.Load())) }
