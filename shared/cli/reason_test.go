package cli_test

import (
	"testing"

	"github.com/orderfleet/orderfleet/shared/cli"
)

func TestCheckReason(t *testing.T) {
	for _, bad := range []string{"", " \t", "too long for it", "a\x1b[2J", "a\nb", "a\xff"} {
		if err := cli.CheckReason(bad, 10); cli.ExitCode(err) != 2 {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := cli.CheckReason("why not é", 10); err != nil {
		t.Error(err)
	}
}

func TestCount(t *testing.T) {
	if got := cli.Count(0, "shard") + ", " + cli.Count(1, "shard") + ", " + cli.Count(2, "shard"); got != "0 shards, 1 shard, 2 shards" {
		t.Error(got)
	}
}
