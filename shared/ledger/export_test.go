package ledger

import "github.com/nats-io/nats.go/jetstream"

// Through has a ledger reach its streams through js.
func (l *Ledger) Through(js jetstream.JetStream) { l.js = js }
