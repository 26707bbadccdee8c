package proof

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Read reads all intents, outcomes and epochs that the ledger holds now.
func Read(ctx context.Context, l *ledger.Ledger) (h History, err error) {
	for shard := range l.Shards() {
		end, err := l.End(ctx, shard)
		if err != nil {
			return h, err
		}
		err = l.Read(ctx, shard, ledger.Start{}, end, func(e ledger.Entry) error {
			switch e.Class {
			case ledger.Intents:
				in := readIntent(e)
				in.Misplaced = l.ShardOf(e.Tenant) != shard
				h.Intents = append(h.Intents, in)
			case ledger.Outcomes:
				o, err := order.DecodeOutcome(e.Data)
				if err != nil {
					return fmt.Errorf("proof: outcome at %s sequence %d: %w", ledger.StreamName(shard), e.Seq, err)
				}
				h.Outcomes = append(h.Outcomes, Outcome{e.Tenant, shard, e.Seq, e.Time, o})
			case ledger.Epochs:
				began, err := ledger.DecodeEpoch(e.Data)
				if err != nil {
					return fmt.Errorf("proof: epoch at %s sequence %d: %w", ledger.StreamName(shard), e.Seq, err)
				}
				h.Epochs = append(h.Epochs, Epoch{shard, e.Seq, began})
			case ledger.Updates, ledger.Controls:
			}
			return nil
		})
		if err != nil {
			return h, err
		}
	}
	return h, nil
}

func readIntent(e ledger.Entry) Intent {
	in := Intent{Tenant: e.Tenant, Seq: e.Seq, At: e.Time}
	var err error
	if in.Intent, err = order.DecodeIntent(e.Data); err != nil {
		in.Intent, in.Unreadable = order.Intent{}, true
	}
	in.ID = order.PeekID(e.Data) // an id that cannot be one is none
	return in
}

// ReadBroker reads the ledger of a paper broker at its admin address.
func ReadBroker(ctx context.Context, admin string) (arrivals []Arrival, bookings []Booking, err error) {
	if arrivals, err = readLines[Arrival](ctx, admin+"/ledger?kind=arrived"); err != nil {
		return nil, nil, err
	}
	bookings, err = ReadBookings(ctx, admin, 0)
	return arrivals, bookings, err
}

// ReadBookings reads the orders on the ledger of a paper broker at its admin address, but for
// the first few.
func ReadBookings(ctx context.Context, admin string, first int) ([]Booking, error) {
	return readLines[Booking](ctx, admin+"/ledger?kind=booked&after="+strconv.Itoa(first))
}

// readLines reads lines of JSON.
func readLines[T any](ctx context.Context, url string) ([]T, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("proof: read the broker's ledger: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("proof: the broker shows no ledger at %s: %s", url, resp.Status)
	}
	var all []T
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		var line T
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("proof: the broker's ledger: %w", err)
		}
		all = append(all, line)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("proof: read the broker's ledger: %w", err)
	}
	return all, nil
}
