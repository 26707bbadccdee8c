package chaos

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/tenant"
)

// Lane is a kind of faults of which one happens at a time.
type Lane string

// The lanes.
const (
	Workers Lane = "worker"
	Network Lane = "network"
	NATS    Lane = "nats"
	Broker  Lane = "broker"
	Clock   Lane = "clock"
	// Operator is no fault: tenants are stopped for a while, and let go on.
	Operator Lane = "operator"
)

// Fault is something that goes wrong for a while.
type Fault struct {
	At   time.Duration // since the beginning
	For  time.Duration
	Lane Lane
	Kind string
	// Pick says which of the parts that live by then it hits.
	Pick uint64
	// Alone says that nothing else is wrong meanwhile.
	Alone bool
	// Link is where a network fault strikes.
	Link Link
	// Workers is how many there are to be after a fault of a worker.
	Workers int
	// Misbehaviour is what the broker does.
	Misbehaviour *Misbehaviour
	// Step is by how much the broker's clock is off.
	Step time.Duration
	// Mode is what the operator sets the switch to, Reach on whom; it Lapses by itself, or is
	// lifted.
	Mode   tenant.Mode
	Reach  string
	Lapses bool
}

// end is when the fault is over.
func (f *Fault) end() time.Duration { return f.At + f.For }

// Name is lane and kind.
func (f *Fault) Name() string {
	switch {
	case f.Link != "":
		return string(f.Lane) + " " + string(f.Link) + " " + f.Kind
	case f.Misbehaviour != nil && f.Misbehaviour.When != "":
		return string(f.Lane) + " " + f.Kind + " " + f.Misbehaviour.When + " booking"
	}
	return string(f.Lane) + " " + f.Kind
}

// The weather: a period begins with a storm and ends with a calm, in which a worker leaves
// when all has settled, and another one when it has again; behind each the operator throws the
// switch twice. A run shorter than a period is one storm.
const (
	period  = 30 * time.Second
	storm   = 12 * time.Second
	observe = 4 * time.Second // how long the tenants of a worker that left are watched
)

// leaves are when in a period a worker leaves.
var leaves = []time.Duration{16 * time.Second, 23 * time.Second}

// throws are when in a period the operator throws the switch in a calm, for how long.
var throws = []time.Duration{20200 * time.Millisecond, 21500 * time.Millisecond, 27200 * time.Millisecond, 28500 * time.Millisecond}

const throwHold = 600 * time.Millisecond

// The kinds of faults of a worker.
const (
	Kill   = "killed"
	Freeze = "frozen"
	Drain  = "drained"
	// Join is no fault: workers are started.
	Join = "joined"
)

// The kinds of faults of NATS.
const (
	KillLeader   = "leader killed"
	FreezeLeader = "leader frozen"
	RestartAll   = "all restarted"
)

// pattern draws the faults of a lane.
type pattern struct {
	lane      Lane
	gap, hold span // between two faults, and of one
	draw      func(r *rand.Rand, f *Fault)
}

// span is a range of durations.
type span struct{ from, to time.Duration }

func (s span) draw(r *rand.Rand) time.Duration {
	return s.from + time.Duration(r.Int64N(int64(s.to-s.from)))
}

func ms(from, to int) span {
	return span{time.Duration(from) * time.Millisecond, time.Duration(to) * time.Millisecond}
}

var patterns = []pattern{
	{Workers, ms(300, 1000), ms(300, 3000), drawWorker},
	{Network, ms(100, 500), ms(300, 2200), drawNetwork},
	{Broker, ms(100, 500), ms(400, 2000), drawBroker},
	{NATS, ms(5000, 9000), ms(500, 3000), drawNATS},
	{Clock, ms(4000, 8000), ms(500, 3000), drawClock},
	{Operator, ms(200, 800), ms(400, 1500), drawOperator},
}

// Plan is the schedule of a run, in the order of time.
func Plan(seed uint64, d time.Duration) []Fault {
	var plan []Fault
	for lane, p := range patterns {
		r := rand.New(rand.NewPCG(seed, uint64(lane)))
		for begin := time.Duration(0); begin < d; begin += period {
			end := min(begin+storm, d)
			if d < period {
				end = d
			}
			plan = p.storm(plan, r, begin, end)
		}
	}
	r := rand.New(rand.NewPCG(seed, uint64(len(patterns))))
	departures := 0
	for begin := time.Duration(0); begin+period <= d; begin += period {
		workers := minWorkers + 1 + r.IntN(maxWorkers-minWorkers)
		plan = append(plan, Fault{At: begin + storm, Lane: Workers, Kind: Join, Workers: workers})
		for _, at := range leaves {
			plan = append(plan, Fault{
				At: begin + at, For: observe, Lane: Workers, Alone: true,
				Kind: []string{Kill, Drain, Freeze}[departures%3], Pick: r.Uint64(), Workers: workers,
			})
			departures++
		}
		for _, at := range throws {
			f := Fault{At: begin + at, For: throwHold, Lane: Operator, Alone: true, Pick: r.Uint64()}
			drawOperator(r, &f)
			plan = append(plan, f)
		}
	}
	slices.SortStableFunc(plan, func(a, b Fault) int { return int(a.At - b.At) })
	return plan
}

// storm appends the faults of a lane between two moments.
func (p *pattern) storm(plan []Fault, r *rand.Rand, begin, end time.Duration) []Fault {
	for at := begin + p.gap.draw(r); at < end; at += p.gap.draw(r) {
		f := Fault{At: at, For: p.hold.draw(r), Lane: p.lane, Pick: r.Uint64()}
		p.draw(r, &f)
		f.For = min(f.For, end-at)
		plan = append(plan, f)
		at += f.For
	}
	return plan
}

func drawWorker(r *rand.Rand, f *Fault) {
	f.Kind = []string{Kill, Kill, Freeze, Freeze, Drain}[r.IntN(5)]
	if f.Kind == Freeze {
		f.For = ms(300, 4000).draw(r) // below the lease and past it
	}
	f.Workers = minWorkers + r.IntN(maxWorkers-minWorkers+1)
}

func drawNATS(r *rand.Rand, f *Fault) {
	f.Kind = []string{KillLeader, KillLeader, FreezeLeader, RestartAll}[r.IntN(4)]
}

func drawClock(r *rand.Rand, f *Fault) {
	f.Kind = "broker's clock stepped"
	f.Step = ms(1000, 3_600_000).draw(r)
	if r.IntN(2) == 0 {
		f.Step = -f.Step
	}
}

func drawOperator(r *rand.Rand, f *Fault) {
	f.Mode = []tenant.Mode{tenant.Halt, tenant.Halt, tenant.Pause, tenant.ReduceOnly}[r.IntN(4)]
	f.Reach = []string{OneTenant, OneTenant, OneDesk, OneDesk, Everybody}[r.IntN(5)]
	f.Lapses = r.IntN(5) == 0
	f.Kind = string(f.Mode) + " " + f.Reach
}

func drawNetwork(r *rand.Rand, f *Fault) {
	f.Link = []Link{WorkerNATS, WorkerNATS, WorkerBroker, ProducerNATS, NATSNATS}[r.IntN(5)]
	f.Kind = []string{Cut, Hole, HalfHole, Slow, Thin}[r.IntN(5)]
}
