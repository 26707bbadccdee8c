// Package chaos runs the whole system as it would run for real, breaks it on a seeded
// schedule, and has package proof judge what is left.
//
//	producers ──wires──> NATS x 3 <──wires── worker x 1..6 ──wires──> paper broker
//	                     └─wires─┘
//	            every wire is a TCP proxy that can be cut, stalled or slowed
//
// A run goes through these phases; whatever ends it early ends every process, too:
//
//	boot --> storm <--> calm --> heal --> quiet --> drained --> still --> judged
//
// The tenants trade under limits of their own, a tenth of them under each of four, the rest
// under none ([groups] in cast.go); and an operator, whose signature alone counts, stops some of
// them now and then, one, a desk or all: halt, pause, reduce-only. The judge holds both against
// the broker's ledger: from a shard's confirmation on nothing arrives that is stopped, until
// the switch is lifted, and nobody ever has more there than its limit allows, whatever was killed.
//
// In a storm several lanes of faults run beside each other, each one fault at a time:
// workers are killed, frozen and drained, wires fail, NATS servers die or restart, the
// broker misbehaves, its clock steps. In a calm workers leave one by one, and between them
// the operator throws the switch; nothing else happens: recovery times at default settings come
// from there, and those in which the switch is confirmed. At the end everything is healed; when
// no intent waits any more the workers drain, and when nothing reaches the broker any more
// the ledgers are read.
//
// The schedule is a pure function of seed and duration ([Plan]); which parts a fault hits
// depends on who lives by then. What the processes do meanwhile no seed decides.
//
// The run's goroutine owns the system. Each lane has a goroutine, and the operator's lane what
// the operator remembers; workers, which the worker lane and their own ends change, are behind
// the pool's lock.
//
// What it does not do: sell, so that reduce-only lets nothing but cancels through; change
// limits, or cancel what is open at a halt; step the clocks of workers and servers (that takes
// the machine's), fill disks, or lose what was written but not synced (that takes the machine's
// power).
package chaos
