package shard

import "sync/atomic"

// Load is what the shards of a worker have to do. Each shard's goroutine counts its own
// part; whoever reports the worker's load reads the sum.
type Load struct {
	Sessions atomic.Int64 // tenants being served
	Waiting  atomic.Int64 // tenants with work that wait for a session
	// Differing are the tenants of which broker and ledger differ, as far as they were
	// reconciled on schedule.
	Differing atomic.Int64
}

// counted is what a shard has added to its worker's load.
type counted struct{ sessions, waiting int64 }

// count brings the worker's load up to date with this shard's part.
func (s *shard) count() {
	now := counted{int64(len(s.live)), int64(s.waiting.len())}
	if l := s.cfg.Load; l != nil && now != s.counted {
		l.Sessions.Add(now.sessions - s.counted.sessions)
		l.Waiting.Add(now.waiting - s.counted.waiting)
		s.counted = now
	}
}
