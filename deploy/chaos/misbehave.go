package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// Misbehaviour is a fault of the paper broker as its admin endpoint takes it.
type Misbehaviour struct {
	Kind        string  `json:"kind"`
	When        string  `json:"when,omitempty"`
	Operation   string  `json:"operation,omitempty"`
	Probability float64 `json:"probability"`
	Status      int     `json:"status,omitempty"`
	RetryAfter  string  `json:"retry_after,omitempty"`
	Delay       string  `json:"delay,omitempty"`
	Min         string  `json:"min,omitempty"`
	Max         string  `json:"max,omitempty"`
}

// misbehaviours are every kind that the broker knows, on both sides of the booking where
// there are two. No latency reaches how long a worker waits for a trace of a lost order
// before it sends it again: a broker slower than that breaks what the fleet relies on.
var misbehaviours = []Misbehaviour{
	{Kind: "latency", When: "before", Probability: 0.7, Min: "20ms", Max: "400ms"},
	{Kind: "latency", When: "after", Probability: 0.7, Min: "20ms", Max: "400ms"},
	{Kind: "rate_limit", Probability: 0.5},
	{Kind: "rate_limit", Probability: 0.3, RetryAfter: "1s"},
	{Kind: "error", When: "before", Probability: 0.5, Status: 500},
	{Kind: "error", When: "after", Probability: 0.3, Status: 500},
	{Kind: "error", When: "before", Probability: 0.5, Status: 503},
	{Kind: "error", When: "after", Probability: 0.3, Status: 504},
	{Kind: "html", When: "before", Probability: 0.3},
	{Kind: "html", When: "after", Probability: 0.3},
	{Kind: "reset", When: "before", Probability: 0.3},
	{Kind: "reset", When: "after", Probability: 0.3},
	{Kind: "silence", When: "before", Probability: 0.05},
	{Kind: "silence", When: "after", Probability: 0.05},
	{Kind: "slow_body", Probability: 0.2, Delay: "1ms"},
	{Kind: "empty", When: "before", Probability: 0.3},
	{Kind: "empty", When: "after", Probability: 0.3},
	{Kind: "garbage", When: "before", Probability: 0.3},
	{Kind: "garbage", When: "after", Probability: 0.3},
	{Kind: "unseen", Probability: 0.3, Delay: "400ms"},
}

func drawBroker(r *rand.Rand, f *Fault) {
	m := misbehaviours[r.IntN(len(misbehaviours))]
	m.Operation = []string{"", "", "place", "lookup"}[r.IntN(4)]
	if m.Operation == "lookup" && (m.When == "after" || m.Kind == "unseen") {
		m.Operation = "place" // a lookup books nothing
	}
	f.Kind, f.Misbehaviour = m.Kind, &m
	if m.RetryAfter != "" {
		f.Kind += " with Retry-After"
	}
}

// misbehave makes the broker misbehave until it is told to behave.
func (s *system) misbehave(ctx context.Context, m *Misbehaviour) error {
	return s.steer(ctx, http.MethodPost, "/faults", m)
}

// behave has it do no more than it always does.
func (s *system) behave(ctx context.Context) error {
	if err := s.steer(ctx, http.MethodDelete, "/faults", nil); err != nil {
		return err
	}
	for i := range s.Always {
		if err := s.misbehave(ctx, &s.Always[i]); err != nil {
			return err
		}
	}
	return nil
}

// setClock sets the broker's clock off by so much.
func (s *system) setClock(ctx context.Context, by time.Duration) error {
	return s.steer(ctx, http.MethodPost, "/clock", map[string]time.Time{"time": time.Now().Add(by)})
}

// steer makes a request to the broker's admin endpoint.
func (s *system) steer(ctx context.Context, method, path string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.broker.Admin+path, bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("chaos: steer the broker: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		return fmt.Errorf("chaos: the broker refuses %s %s: %s", method, path, answer)
	}
	return err
}
