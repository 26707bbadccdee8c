package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Statuses of a direct-get answer; see ADR-31 of NATS.
const (
	statusHeader   = "Status"
	statusNotFound = "404"
	statusEnd      = "204"
)

func (l *Ledger) directGet(shard int) string { return l.api + "DIRECT.GET." + StreamName(shard) }

// scan reads up to limit messages of a subject from a sequence number on, from whichever
// replica answers. The library's own batched get makes a queue of 65,536 places for every
// request, half a megabyte.
func (l *Ledger) scan(ctx context.Context, shard int, subject string, from uint64, limit int) ([]Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	body, err := json.Marshal(struct {
		Seq           uint64 `json:"seq"`
		NextBySubject string `json:"next_by_subj"`
		Batch         int    `json:"batch"`
	}{from, subject, limit})
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	answers := make(chan *nats.Msg, limit+1) // and the end
	inbox := l.nc.NewInbox()
	sub, err := l.nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, fmt.Errorf("ledger: read %s: %w", subject, err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection is gone then
	if err := l.nc.PublishRequest(l.directGet(shard), inbox, body); err != nil {
		return nil, fmt.Errorf("ledger: read %s: %w", subject, err)
	}
	var entries []Entry
	for {
		select {
		case m := <-answers:
			e, more, err := parseAnswer(m)
			if err != nil {
				return nil, fmt.Errorf("ledger: read %s: %w", subject, err)
			}
			if !more {
				return entries, nil
			}
			entries = append(entries, e)
		case <-ctx.Done():
			return nil, fmt.Errorf("ledger: read %s: %w", subject, context.Cause(ctx))
		}
	}
}

// parseAnswer reads one answer to a direct get; ok is false if it bears no message: there
// is none, or it is the end of several.
func parseAnswer(m *nats.Msg) (e Entry, ok bool, err error) {
	switch status := m.Header.Get(statusHeader); status {
	case "":
	case statusEnd, statusNotFound:
		return Entry{}, false, nil
	default:
		return Entry{}, false, fmt.Errorf("status %s: %s", status, m.Header.Get("Description"))
	}
	seq, err := sequence(m)
	if err != nil {
		return Entry{}, false, err
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		return Entry{}, false, fmt.Errorf("time of a message: %w", err)
	}
	if e, ok = entry(m.Header.Get(jetstream.SubjectHeader), seq, at, m.Data); !ok {
		return Entry{}, false, fmt.Errorf("sequence %d has the foreign subject %q", seq, m.Header.Get(jetstream.SubjectHeader))
	}
	return e, true, nil
}

// sequence is the sequence number of the message that an answer to a direct get bears.
func sequence(m *nats.Msg) (uint64, error) {
	seq, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("sequence of a message: %w", err)
	}
	return seq, nil
}
