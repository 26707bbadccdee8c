package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/spf13/cobra"
)

func newRoot() *cobra.Command {
	root := cli.Command(&cobra.Command{Use: "prog", Short: "Does things"})
	var output cli.Output
	do := &cobra.Command{Use: "do WHAT", Short: "Does a thing", Args: cli.Args(cobra.ExactArgs(1)), RunE: func(cmd *cobra.Command, args []string) error {
		switch args[0] {
		case "badly":
			return errors.New("it broke")
		case "wrongly":
			return cli.Usagef("%q is no thing", args[0])
		}
		cmd.Println(args[0], "as", output)
		return nil
	}}
	cli.AddOutput(root, &output)
	root.AddCommand(do)
	return root
}

func TestRun(t *testing.T) {
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"", 0, "Does things"},
		{"--help", 0, "Does things"},
		{"do it", 0, "it as text"},
		{"do it -o json", 0, "it as json"},
		{"do badly", 1, "prog: it broke\n"},
		{"do wrongly", 2, "prog: \"wrongly\" is no thing\nsee prog do --help\n"},
		{"do", 2, "accepts 1 arg"},
		{"do --loud", 2, "see prog do --help\n"},
		{"undo", 2, `unknown command "undo"`},
		{"do it --loud", 2, "--loud"},
		{"do it -o xml", 2, `"xml"`},
	} {
		t.Run(test.args, func(t *testing.T) {
			var out bytes.Buffer
			cmd := newRoot()
			cmd.SetArgs(strings.Fields(test.args))
			cmd.SetOut(&out)
			cmd.SetErr(&out)
			if code := cli.Run(context.Background(), cmd); code != test.code || !strings.Contains(out.String(), test.says) {
				t.Errorf("exit %d, want %d; said %s", code, test.code, out.String())
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var out bytes.Buffer
	cmd := cli.Command(&cobra.Command{Use: "prog", RunE: func(cmd *cobra.Command, _ []string) error {
		cancel()
		return fmt.Errorf("wait: %w", cmd.Context().Err())
	}})
	cmd.SetArgs(nil)
	cmd.SetErr(&out)
	if code := cli.Run(ctx, cmd); code != 1 || out.String() != "prog: interrupted\n" {
		t.Errorf("exit %d, said %q", code, out.String())
	}
}

// Where nobody watches, there is no progress and no colour.
func TestProgressElsewhere(t *testing.T) {
	var out bytes.Buffer
	cli.Progress(&out)("importing", 1, 2)
	if out.Len() > 0 || cli.IsTerminal(&out) {
		t.Errorf("wrote %q", out.String())
	}
}

// What a stranger wrote cannot steer the terminal from within an error.
func TestErrorsDoNotSteer(t *testing.T) {
	cmd := cli.Command(&cobra.Command{Use: "prog", RunE: func(*cobra.Command, []string) error {
		return errors.Join(errors.New("the broker says \x1b[2J\u202e"), errors.New("so does another"))
	}})
	var out bytes.Buffer
	cmd.SetErr(&out)
	cmd.SetArgs(nil)
	if cli.Run(t.Context(), cmd); out.String() != "prog: the broker says \uFFFD[2J\uFFFD\nso does another\n" {
		t.Errorf("printed %q", out.String())
	}
}

func TestErrorsNameTheProgramOnce(t *testing.T) {
	cmd := cli.Command(&cobra.Command{Use: "prog", RunE: func(*cobra.Command, []string) error {
		return errors.New("prog: it broke") // an error of a package that has the program's name
	}})
	var out bytes.Buffer
	cmd.SetErr(&out)
	cmd.SetArgs(nil)
	if cli.Run(t.Context(), cmd); out.String() != "prog: it broke\n" {
		t.Errorf("printed %q", out.String())
	}
}
