package chaos

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Options of a run.
type Options struct {
	Seed     uint64
	Duration time.Duration // of storms and calms, at least 5 s
	Tenants  int
	Rate     int // intents a second in all
	Shards   int
	// Worker is the path of the worker command.
	Worker string
	// LazySync has NATS acknowledge before it syncs, as it does by default.
	LazySync bool
	// DuplicateCheck leaves the broker's check of client order ids on. Off, every second
	// attempt shows as a second order.
	DuplicateCheck bool
	// Dir is where servers and workers keep their stores and logs; empty is a temporary
	// directory, which is removed at the end of a run without flaws.
	Dir string
	// Patience is how long nothing may happen at the end before what is missing is lost.
	Patience time.Duration
	// Planted names the bug that a worker built with the tag planted is to have.
	Planted string
	// Always is what the broker does all along, beside the faults of its lane.
	Always []Misbehaviour
	// Progress, if set, is told how far a phase is.
	Progress func(phase string, done, of int)
	// Tell, if set, is told of every fault as it begins, and of the operator's hand. Lanes call it at the same time.
	Tell func(Event)
}

// The bounds of the number of workers that are to be there. While one that was told to end
// has not, another may have taken its place; and when one has left, it is one less until
// its tenants have been watched.
const (
	minWorkers = 2
	maxWorkers = 6
)

// servers is the number of NATS servers.
const servers = 3

// Validate says which option is out of range.
func (o Options) Validate() error {
	switch {
	case o.Duration < 5*time.Second:
		return fmt.Errorf("duration: %s is less than 5s", o.Duration)
	case o.Tenants < 1, o.Tenants > 5000:
		return fmt.Errorf("tenants: %d is not 1 to 5000", o.Tenants)
	case o.Rate < 1:
		return fmt.Errorf("rate: %d is less than 1", o.Rate)
	case o.Shards < 1, o.Shards > 64:
		return fmt.Errorf("shards: %d is not 1 to 64", o.Shards)
	case o.Worker == "":
		return errors.New("worker: the path of the worker command is missing")
	}
	if _, err := os.Stat(o.Worker); err != nil {
		return fmt.Errorf("worker: %w (go build -o %s ./worker/cmd/worker)", err, o.Worker)
	}
	return nil
}

// Command is the command line that runs the same schedule again, in the repository.
func (o Options) Command() string {
	args := fmt.Sprintf("--seed %d --tenants %d --rate %d --shards %d", o.Seed, o.Tenants, o.Rate, o.Shards)
	if o.LazySync {
		args += " --lazy-sync"
	}
	if o.DuplicateCheck {
		args += " --duplicate-check"
	}
	if o.Planted != "" {
		args += " --worker .bin/worker-planted --plant " + o.Planted
	}
	return fmt.Sprintf("make chaos DURATION=%s ARGS=%q", o.Duration, args)
}

func (o Options) progress(phase string, done, of int) {
	if o.Progress != nil {
		o.Progress(phase, done, of)
	}
}
