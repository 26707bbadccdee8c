package stress

import (
	"os"
	"time"

	"github.com/orderfleet/orderfleet/deploy/parts"
)

// watch follows what the processes use while the test runs.
type watch struct {
	pids  map[string]int
	began map[string]parts.Usage
	last  map[string]parts.Usage
	peak  map[string]int64
}

// newWatch begins with what they have used so far.
func newWatch(s *system) *watch {
	w := &watch{
		pids: map[string]int{
			parts.NATS: s.nats.PID(), parts.Paper: s.paper.PID(), parts.Worker: s.worker.PID(), "producer": os.Getpid(),
		},
		began: make(map[string]parts.Usage), last: make(map[string]parts.Usage), peak: make(map[string]int64),
	}
	for name, pid := range w.pids {
		if u, err := parts.UsageOf(pid); err == nil {
			w.began[name] = u
		}
	}
	return w
}

// look takes the figures once more.
func (w *watch) look() error {
	for name, pid := range w.pids {
		u, err := parts.UsageOf(pid)
		if err != nil {
			return err
		}
		w.last[name] = u
		w.peak[name] = max(w.peak[name], u.RSS)
	}
	return nil
}

// fill writes the figures into a report.
func (w *watch) fill(r *Report, orders int) {
	r.CPU, r.RSS = make(map[string]float64), make(map[string]float64)
	for name := range w.pids {
		r.CPU[name] = (w.last[name].CPU - w.began[name].CPU).Seconds()
		r.RSS[name] = mib(w.peak[name])
	}
	r.WorkerCPU = r.CPU[parts.Worker] / float64(orders) * float64(time.Second/time.Microsecond)
	r.WorkerRSS = r.RSS[parts.Worker]
}
