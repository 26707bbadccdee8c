package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/order"
)

// ErrNone says that the ledger has no such message (any more).
var ErrNone = errors.New("ledger: no such message")

// LastOutcome reads a tenant's last outcome and its sequence number, from the
// stream's leader: what it says is current. ErrNone if there is none.
func (l *Ledger) LastOutcome(ctx context.Context, shard int, tenant string) (order.Outcome, uint64, error) {
	e, err := l.leaderGet(ctx, shard, getRequest{LastBySubject: Outcomes.Subject(shard, tenant)})
	if err != nil {
		return order.Outcome{}, 0, err
	}
	o, err := order.DecodeOutcome(e.Data)
	if err != nil {
		return order.Outcome{}, 0, fmt.Errorf("ledger: outcome at %s sequence %d: %w", StreamName(shard), e.Seq, err)
	}
	return o, e.Seq, nil
}

// NextControl reads a tenant's first control with a sequence number of from or more, and
// that number, through the stream's leader: what it says is current. [ErrNone] if there is
// none. It is decoded, not checked; one that makes no sense is a [*order.FieldError], with
// its number.
func (l *Ledger) NextControl(ctx context.Context, shard int, tenant string, from uint64) (order.Control, uint64, error) {
	e, err := l.leaderGet(ctx, shard, getRequest{Seq: from, NextBySubject: Controls.Subject(shard, tenant)})
	if err != nil {
		return order.Control{}, 0, err
	}
	c, err := order.DecodeControl(e.Data)
	if err != nil {
		return order.Control{}, e.Seq, fmt.Errorf("ledger: control at %s sequence %d: %w", StreamName(shard), e.Seq, err)
	}
	return c, e.Seq, nil
}

// At reads the message with a sequence number. ErrNone if retention removed it.
func (l *Ledger) At(ctx context.Context, shard int, seq uint64) (Entry, error) {
	return l.leaderGet(ctx, shard, getRequest{Seq: seq})
}

// NextIntent reads a tenant's first intent with a sequence number of from or more, through
// the stream's leader; [ErrNone] if there is none.
func (l *Ledger) NextIntent(ctx context.Context, shard int, tenant string, from uint64) (Entry, error) {
	return l.leaderGet(ctx, shard, getRequest{Seq: from, NextBySubject: Intents.Subject(shard, tenant)})
}

// scanBatch is how many messages a scan asks for at once.
const scanBatch = 256

// FindIntent finds the first intent of a tenant with an id, before a sequence number. It
// reads all of the tenant's intents up to there: a rare, slow question. ErrNone if there
// is none.
func (l *Ledger) FindIntent(ctx context.Context, shard int, tenant, id string, before uint64) (Entry, error) {
	subject := Intents.Subject(shard, tenant)
	for from := uint64(1); ; {
		entries, err := l.scan(ctx, shard, subject, from, scanBatch)
		if err != nil {
			return Entry{}, err
		}
		for _, e := range entries {
			switch {
			case e.Seq >= before:
				return Entry{}, ErrNone
			case order.PeekID(e.Data) == id:
				return e, nil
			}
			from = e.Seq + 1
		}
		if len(entries) == 0 {
			return Entry{}, ErrNone
		}
	}
}

// getRequest is the body of a stream message request, as the JetStream API has it.
type getRequest struct {
	Seq           uint64 `json:"seq,omitempty"`
	LastBySubject string `json:"last_by_subj,omitempty"`
	NextBySubject string `json:"next_by_subj,omitempty"`
}

// leaderGet asks the stream's leader. The client library would read from any
// replica, which may lag behind.
func (l *Ledger) leaderGet(ctx context.Context, shard int, r getRequest) (Entry, error) {
	return l.leaderMsg(ctx, StreamName(shard), r)
}

func (l *Ledger) leaderMsg(ctx context.Context, stream string, r getRequest) (Entry, error) {
	m, err := l.leaderRaw(ctx, stream, r)
	if err != nil {
		return Entry{}, err
	}
	e, ok := entry(m.Subject, m.Seq, m.Time, m.Data)
	if !ok {
		return Entry{}, fmt.Errorf("ledger: read %s: sequence %d has the foreign subject %q", stream, m.Seq, m.Subject)
	}
	return e, nil
}

// rawMessage is a message of any stream, as the JetStream API shows it.
type rawMessage struct {
	Subject string    `json:"subject"`
	Seq     uint64    `json:"seq"`
	Data    []byte    `json:"data"`
	Time    time.Time `json:"time"`
}

func (l *Ledger) leaderRaw(ctx context.Context, stream string, r getRequest) (*rawMessage, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, leaderTimeout)
	defer cancel()
	msg, err := l.request(ctx, l.api+"STREAM.MSG.GET."+stream, body)
	if err != nil {
		return nil, fmt.Errorf("ledger: read %s: %w", stream, err)
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message *rawMessage         `json:"message"`
	}
	if err := json.Unmarshal(msg.Data, &answer); err != nil {
		return nil, fmt.Errorf("ledger: read %s: %w", stream, err)
	}
	if e := answer.Error; e != nil {
		if e.ErrorCode == jetstream.JSErrCodeMessageNotFound {
			return nil, ErrNone
		}
		return nil, fmt.Errorf("ledger: read %s: %w", stream, e)
	}
	if answer.Message == nil {
		return nil, fmt.Errorf("ledger: read %s: the server's answer has no message in it", stream)
	}
	return answer.Message, nil
}

func entry(subject string, seq uint64, at time.Time, data []byte) (Entry, bool) {
	class, tenant, ok := parseSubject(subject)
	return Entry{Class: class, Tenant: tenant, Seq: seq, Time: at, Data: data}, ok
}
