package proof_test

import (
	"slices"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/proof"
)

func TestPercentiles(t *testing.T) {
	if got := proof.Percentiles(nil, 0.5, 0.99); !slices.Equal(got, []float64{0, 0}) {
		t.Errorf("of nothing: %v", got)
	}
	var all []time.Duration
	for i := range 1000 {
		all = append(all, time.Duration(1000-i)*time.Millisecond)
	}
	if got := proof.Percentiles(all, 0, 0.5, 0.99, 0.999, 1); !slices.Equal(got, []float64{1, 501, 991, 1000, 1000}) {
		t.Errorf("got %v", got)
	}
}
