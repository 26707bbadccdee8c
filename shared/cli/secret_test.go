package cli_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/orderfleet/orderfleet/shared/cli"
)

func TestReadSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(" from a file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, file string
		in         io.Reader
		want       string // of the secret, or of the error if it begins with !
	}{
		{"a file", file, strings.NewReader("PRIVATE"), "from a file"},
		{"standard input", "", strings.NewReader("piped\n"), "piped"},
		{"standard input, by name", "-", strings.NewReader("piped"), "piped"},
		{"in pieces", "-", iotest.OneByteReader(strings.NewReader("piped")), "piped"},
		{"nothing", "-", strings.NewReader(" \n"), "!there is none"},
		{"no file", file + ".x", nil, "!no such file"},
		{"endless", "-", strings.NewReader(strings.Repeat("PRIVATE", 1000)), "!more than 4096 bytes"},
		{"cut", "-", iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("PRIVATE"))), "!timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := cli.ReadSecret(tt.in, io.Discard, tt.file, "secret")
			if want, fails := strings.CutPrefix(tt.want, "!"); fails {
				if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "PRIVATE") {
					t.Errorf("%q, %v", got, err)
				}
				return
			}
			if err != nil || string(got) != tt.want {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
