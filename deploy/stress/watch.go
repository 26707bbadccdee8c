package stress

import (
	"os"
	"time"
)

// watch follows what the processes use while the test runs.
type watch struct {
	pids  map[string]int
	began map[string]usage
	last  map[string]usage
	peak  map[string]int64
}

// newWatch begins with what they have used so far.
func newWatch(s *system) *watch {
	w := &watch{
		pids: map[string]int{
			roleNATS: s.nats.cmd.Process.Pid, rolePaper: s.paper.cmd.Process.Pid, roleWorker: s.worker.cmd.Process.Pid, "producer": os.Getpid(),
		},
		began: make(map[string]usage), last: make(map[string]usage), peak: make(map[string]int64),
	}
	for name, pid := range w.pids {
		if u, err := usageOf(pid); err == nil {
			w.began[name] = u
		}
	}
	return w
}

// look takes the figures once more.
func (w *watch) look() error {
	for name, pid := range w.pids {
		u, err := usageOf(pid)
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
	r.WorkerCPU = r.CPU[roleWorker] / float64(orders) * float64(time.Second/time.Microsecond)
	r.WorkerRSS = r.RSS[roleWorker]
}
