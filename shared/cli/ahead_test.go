package cli_test

import (
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/cli"
)

func TestAhead(t *testing.T) {
	for _, text := range []string{"", "soon", "-2h", "0s", "2001-01-01T00:00:00Z"} {
		if err := new(cli.Ahead).Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	var a cli.Ahead
	before := time.Now()
	if err := a.Set("2h"); err != nil || a.Before(before.Add(2*time.Hour)) || a.After(time.Now().Add(2*time.Hour)) {
		t.Errorf("2h: %v, %v", a.Time, err)
	}
	if err := a.Set("2999-01-01T01:00:00+01:00"); err != nil || a.String() != "2999-01-01T00:00:00Z" {
		t.Errorf("%s, %v", a.String(), err)
	}
}
