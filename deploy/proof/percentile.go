package proof

import (
	"slices"
	"time"
)

// Percentiles of some latencies, in milliseconds; each of at is 0 to 1. All are 0 if
// there are no latencies. It sorts what it is given.
func Percentiles(all []time.Duration, at ...float64) []float64 {
	values := make([]float64, len(at))
	if len(all) == 0 {
		return values
	}
	slices.Sort(all)
	for i, p := range at {
		values[i] = float64(all[min(int(p*float64(len(all))), len(all)-1)]) / float64(time.Millisecond)
	}
	return values
}
