//go:build !planted

package plant_test

import (
	"testing"

	"github.com/orderfleet/orderfleet/worker/plant"
)

// An ordinary worker has no bug, whatever its environment says.
func TestNothingIsPlanted(t *testing.T) {
	for _, b := range plant.Bugs {
		t.Setenv(plant.Variable, string(b))
		if plant.Is(b) {
			t.Errorf("%s is planted", b)
		}
	}
}
