// Package local runs the whole system in one process, for a first look and for
// development: a NATS server with JetStream, the paper broker, and a worker.
//
//	Start --> running --Stop--> worker drained, broker closed, NATS stopped, store removed
//
// Whoever starts a [System] owns it and stops it. Nothing of it outlives Stop.
package local
