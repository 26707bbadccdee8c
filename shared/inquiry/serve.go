package inquiry

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// maxOpen bounds the questions to one shard that are under way.
	maxOpen = 32
	// sign is how often an owner gives a sign of life while an answer takes its time.
	sign = time.Second
)

// Owner is who answers.
type Owner struct {
	Worker string
	Shard  int
	Epoch  uint64
}

// Call is a question that waits for its answer: exactly one of Answer, Refuse and Drop is
// called, once.
type Call struct {
	Question
	answer chan *Answer // nil: none is given
	taken  chan struct{}
}

// Take says that the answer takes longer, and that somebody is on it: the asker gets signs
// of life from now on.
func (c *Call) Take() { close(c.taken) }

// Answer answers. It never waits.
func (c *Call) Answer(a Answer) { c.answer <- &a }

// Refuse answers with a refusal. It never waits.
func (c *Call) Refuse(code Code, format string, args ...any) {
	c.Answer(Answer{Refused: &Refusal{code, fmt.Sprintf(format, args...)}})
}

// Drop leaves the question to another worker.
func (c *Call) Drop() { c.answer <- nil }

// desk is where a shard's questions come in. The client's goroutine receives them; each that
// is taken in has one of its own, which alone speaks to its asker.
type desk struct {
	owner Owner
	calls chan<- *Call

	mu     sync.Mutex
	open   int // questions under way
	closed bool
	work   sync.WaitGroup
}

// Serve takes in questions to a shard's owner, and hands them on through calls, until ctx
// ends; then it refuses what is under way, and returns when every asker was told.
func Serve(ctx context.Context, nc *nats.Conn, owner Owner, calls chan<- *Call) error {
	d := &desk{owner: owner, calls: calls}
	sub, err := nc.Subscribe(Subject(owner.Shard), func(m *nats.Msg) { d.receive(ctx, m) })
	if err != nil {
		return fmt.Errorf("inquiry: listen to questions of shard %d: %w", owner.Shard, err)
	}
	<-ctx.Done()
	_ = sub.Unsubscribe() // fails only if the connection is gone, and it with it
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.work.Wait()
	return nil
}

// receive takes a question in.
func (d *desk) receive(ctx context.Context, m *nats.Msg) {
	if m.Reply == "" {
		return // nobody wants to know
	}
	q, err := decodeQuestion(m.Data)
	if err != nil {
		d.say(m, refusal(Malformed, err.Error()))
		return
	}
	attended := d.admit(func() {
		d.attend(ctx, m, &Call{q, make(chan *Answer, 1), make(chan struct{})})
	})
	if !attended {
		d.say(m, refusal(Busy, fmt.Sprintf("%d questions are under way", maxOpen)))
	}
}

// admit attends to a question in a goroutine of its own, if there is room; once the desk is
// closed nothing is done, since whoever owns the shard next is to be asked.
func (d *desk) admit(attend func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return true
	case d.open == maxOpen:
		return false
	}
	d.open++
	d.work.Go(func() {
		attend()
		d.mu.Lock()
		d.open--
		d.mu.Unlock()
	})
	return true
}

func refusal(code Code, message string) Answer { return Answer{Refused: &Refusal{code, message}} }

// attend hands a question on, and tells its asker what becomes of it.
func (d *desk) attend(ctx context.Context, m *nats.Msg, c *Call) {
	leaving := refusal(Leaving, "the worker gives the shard up")
	select {
	case d.calls <- c:
	case <-ctx.Done():
		d.say(m, leaving)
		return
	}
	taken := c.taken
	var signs <-chan time.Time
	for {
		select {
		case a := <-c.answer:
			if a != nil {
				d.say(m, *a)
			}
			return
		case <-taken:
			taken = nil
			ticker := time.NewTicker(sign)
			defer ticker.Stop()
			signs = ticker.C
		case <-signs:
			d.say(m, Answer{UnderWay: true})
		case <-ctx.Done():
			d.say(m, leaving)
			return
		}
	}
}

// say sends an answer in the owner's name.
func (d *desk) say(m *nats.Msg, a Answer) {
	a.Version, a.Worker, a.Epoch = Version, d.owner.Worker, d.owner.Epoch
	data, err := encodeAnswer(a)
	if err != nil { // no answer is so odd
		data, _ = encodeAnswer(Answer{Version: Version, Worker: a.Worker, Epoch: a.Epoch, Refused: &Refusal{Failed, err.Error()}})
	}
	_ = m.Respond(data) // the asker learns of a failure by our silence
}
