package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/deploy/parts"
)

// pool is the workers. Its lock guards what the worker lane and the ends of processes
// change.
type pool struct {
	alive   context.Context
	command string
	planted string
	dir     string
	// patience is how long a worker that was told to end may take.
	patience time.Duration
	slots    [maxWorkers]slot

	mu      sync.Mutex
	workers [maxWorkers]*worker // nil where there is none
	serial  int
	closing bool
	restart int // how often a worker was started again that had ended by itself
	lastErr string
	stuck   []string // workers that were told to end, and had to be killed

	running sync.WaitGroup
}

// slot is a place for a worker: its wires, and the file that leads through them.
type slot struct{ natsURL, tenants string }

// worker is one process.
type worker struct {
	name  string
	slot  int
	proc  *parts.Process
	told  bool          // it was told to end
	ended chan struct{} // closed when it has
}

// newPool makes room for workers.
func (s *system) newPool() (*pool, error) {
	p := &pool{alive: s.alive, command: s.Worker, planted: s.Planted, dir: s.dir, patience: drainPatience}
	broker := strings.TrimPrefix(s.broker.URL, "http://")
	for k := range p.slots {
		name := fmt.Sprintf("worker%d", k)
		var urls []string
		for i, v := range s.nats {
			at, err := s.wires.connect(WorkerNATS, name, serverName(i), v.at)
			if err != nil {
				return nil, err
			}
			urls = append(urls, "nats://"+at)
		}
		at, err := s.wires.connect(WorkerBroker, name, "broker", broker)
		if err != nil {
			return nil, err
		}
		p.slots[k] = slot{strings.Join(urls, ","), filepath.Join(s.dir, name+".yaml")}
		if err := os.WriteFile(p.slots[k].tenants, []byte(s.tenantsFile(at)), 0o600); err != nil {
			return nil, fmt.Errorf("chaos: %w", err)
		}
	}
	return p, nil
}

// fill starts workers until there are so many.
func (p *pool) fill(want int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k := range p.workers {
		if p.live() >= want {
			break
		}
		if p.workers[k] == nil {
			if err := p.start(k); err != nil {
				return err
			}
		}
	}
	return nil
}

// names are those of the workers that were not told to end.
func (p *pool) names() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.workers {
		if w != nil && !w.told {
			all = append(all, w.name)
		}
	}
	return all
}

// live counts the workers that were not told to end. The caller holds the lock.
func (p *pool) live() (n int) {
	for _, w := range p.workers {
		if w != nil && !w.told {
			n++
		}
	}
	return n
}

// Timeouts of the workers towards the broker: short, so that a run sees many of them.
const (
	firstByteTimeout = "3s"
	callTimeout      = "5s"
)

// start starts a worker in a slot. The caller holds the lock.
func (p *pool) start(k int) error {
	p.serial++
	w := &worker{name: fmt.Sprintf("worker%d-%d", k, p.serial), slot: k, ended: make(chan struct{})}
	log, err := os.Create(filepath.Join(p.dir, w.name+".log"))
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	defer log.Close() //nolint:errcheck // the process has its own
	cmd := exec.CommandContext(p.alive, p.command)
	cmd.Stderr = log
	cmd.Env = []string{
		"NATS_URL=" + p.slots[k].natsURL,
		"ORDERFLEET_TENANTS_FILE=" + p.slots[k].tenants,
		"ORDERFLEET_WORKER_NAME=" + w.name,
		"ORDERFLEET_BROKER_FIRST_BYTE_TIMEOUT=" + firstByteTimeout,
		"ORDERFLEET_BROKER_CALL_TIMEOUT=" + callTimeout,
	}
	if p.planted != "" {
		cmd.Env = append(cmd.Env, "ORDERFLEET_PLANTED="+p.planted)
	}
	if w.proc, err = parts.Start(p.alive, w.name, cmd); err != nil {
		return err
	}
	p.workers[k] = w
	p.running.Go(func() { p.await(w) })
	return nil
}

// restartDelay is how long whoever supervises workers waits before one that ended by
// itself is started again.
const restartDelay = 300 * time.Millisecond

// await waits for a worker's end, and starts another in its place if nobody told it to.
func (p *pool) await(w *worker) {
	err := w.proc.Wait()
	p.mu.Lock()
	p.workers[w.slot] = nil
	again := !w.told && !p.closing && p.alive.Err() == nil
	if again {
		p.restart++
		p.lastErr = fmt.Sprintf("%s: %v: %s", w.name, err, lastLine(filepath.Join(p.dir, w.name+".log")))
	}
	p.mu.Unlock()
	close(w.ended)
	if !again || !sleep(p.alive, restartDelay) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closing && p.workers[w.slot] == nil {
		if err := p.start(w.slot); err != nil {
			p.lastErr = err.Error()
		}
	}
}

// lastLine is the end of a log.
func lastLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return lines[len(lines)-1]
}

// choose picks one of the workers that were not told to end, by preference one that holds
// shards; nil if that would leave nobody.
func (p *pool) choose(pick uint64, holders []string) *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live() < minWorkers {
		return nil
	}
	var busy, idle []*worker
	for _, w := range p.workers {
		switch {
		case w == nil || w.told:
		case slices.Contains(holders, w.name):
			busy = append(busy, w)
		default:
			idle = append(idle, w)
		}
	}
	if len(busy) == 0 {
		busy = idle
	}
	return busy[pick%uint64(len(busy))]
}

// tell marks a worker as one that ends because we want it to, and sends the signal.
func (p *pool) tell(w *worker, signal func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.told = true
	if p.workers[w.slot] != w {
		return nil // it has just ended by itself
	}
	return signal()
}

// drainPatience is longer than a worker takes to drain: its time-out is 25 s by default.
const drainPatience = 35 * time.Second

// stop drains all workers, and waits. One that does not end in time is killed, and noted
// as stuck.
func (p *pool) stop() error {
	p.mu.Lock()
	p.closing = true
	var left []*worker
	var errs []error
	for _, w := range p.workers {
		if w == nil {
			continue
		}
		left = append(left, w)
		if !w.told {
			w.told = true
			errs = append(errs, w.proc.Terminate())
		}
	}
	p.mu.Unlock()
	overdue, cancel := context.WithTimeout(context.Background(), p.patience)
	defer cancel()
	for _, w := range left {
		if !w.endsBefore(overdue.Done()) {
			p.mu.Lock()
			p.stuck = append(p.stuck, w.name)
			p.mu.Unlock()
			errs = append(errs, ignoreEnded(w, w.proc.Signal(os.Kill)))
		}
	}
	p.running.Wait()
	return errors.Join(errs...)
}

// endsBefore waits for a worker's end, and says whether it came before something else.
func (w *worker) endsBefore(other <-chan struct{}) bool {
	select {
	case <-w.ended:
		return true
	case <-other:
	}
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

// flaws are what workers did that none may do.
func (p *pool) flaws() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.restart > 0 {
		all = append(all, fmt.Sprintf("%d workers ended by themselves; the last said: %s", p.restart, p.lastErr))
	}
	for _, name := range p.stuck {
		all = append(all, fmt.Sprintf("%s did not end within %s after it was told to, and was killed", name, p.patience))
	}
	return all
}
