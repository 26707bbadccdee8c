package stress

import (
	"time"

	"github.com/orderfleet/orderfleet/deploy/audit"
	"github.com/orderfleet/orderfleet/deploy/parts"
	"github.com/orderfleet/orderfleet/deploy/proof"
)

// Report is what a stress test found out. Its names in JSON are part of the contract.
type Report struct {
	Clients parts.Clients `json:"clients"`
	Tenants int           `json:"tenants"`
	// OrdersPerSecond from the first intent on the ledger to the last outcome on it.
	OrdersPerSecond float64 `json:"orders_per_second"`
	// BareOrdersPerSecond of the bare loop, before and after.
	BareOrdersPerSecond float64 `json:"bare_orders_per_second"`
	Ratio               float64 `json:"ratio"` // of the two
	proof.Report
	// Audit is what an audit of the two ledgers says.
	Audit *audit.Report `json:"audit,omitempty"`
	// SecondAttempts is the share of intents whose order was submitted more than once.
	SecondAttempts float64 `json:"second_attempts"`

	PublishToBroker  Percentiles `json:"publish_to_broker_ms"`  // until the broker had read the order
	PublishToOutcome Percentiles `json:"publish_to_outcome_ms"` // until the outcome was on the ledger

	WorkerCPU float64            `json:"worker_cpu_us_per_order"`
	WorkerRSS float64            `json:"worker_rss_mib"` // at its most
	CPU       map[string]float64 `json:"cpu_seconds"`    // by process
	RSS       map[string]float64 `json:"rss_mib"`        // by process, at its most

	Idle *IdleCost `json:"idle_tenants,omitempty"`
}

// OK says whether every rule holds, of the judge and of the audit.
func (r *Report) OK() bool { return r.Report.OK() && (r.Audit == nil || r.Audit.OK()) }

// IdleCost is what tenants without work cost the worker.
type IdleCost struct {
	Tenants    int     `json:"tenants"`
	RSS        float64 `json:"rss_mib"` // more than a worker that knows none
	Goroutines int     `json:"goroutines"`
	CPU        float64 `json:"cpu_percent"` // of a core, while nothing happens
}

// Percentiles of a latency, in milliseconds.
type Percentiles struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
}

func percentiles(all []time.Duration) Percentiles {
	p := proof.Percentiles(all, 0.5, 0.99, 0.999)
	return Percentiles{p[0], p[1], p[2]}
}

// mib is a number of bytes in MiB.
func mib[T int64 | uint64](n T) float64 { return float64(n) / (1 << 20) }
