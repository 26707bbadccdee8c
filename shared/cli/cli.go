// Package cli is how the commands of the fleet behave: alike.
//
// Exit codes are 0 for success, 1 for a failure, 2 for a mistake in the command line or
// the environment. Errors go to standard error, behind the command's name. Interrupt and
// SIGTERM end the context of a command started with [Main].
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
)

// usageError is a mistake in the command line or the environment.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Usage marks an error as a mistake in the command line or the environment.
func Usage(err error) error { return usageError{err} }

// Usagef is Usage of a new error.
func Usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// ExitCode is what a command that ended with err exits with.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}

// Command makes a root command, or one that has subcommands, behave. Without a RunE of its
// own it prints its help.
func Command(cmd *cobra.Command) *cobra.Command {
	if cmd.RunE == nil {
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	if cmd.Args == nil {
		cmd.Args = Args(cobra.NoArgs)
	}
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	return cmd
}

// Args makes wrong positional arguments a mistake of usage.
func Args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// Main runs a command until it ends or a signal ends its context, and exits.
func Main(cmd *cobra.Command) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Run(ctx, cmd)
	stop()
	os.Exit(code)
}

// Run runs a command, prints the error that it ends with, and returns its exit code.
func Run(ctx context.Context, cmd *cobra.Command) int {
	ran, err := cmd.ExecuteContextC(ctx)
	code := ExitCode(err)
	switch {
	case code == 0:
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: interrupted\n", cmd.Name())
	default:
		prefix := cmd.Name() + ": "
		fmt.Fprintf(cmd.ErrOrStderr(), "%s%s\n", prefix, strings.TrimPrefix(printable(err.Error()), prefix))
	}
	if code == 2 {
		fmt.Fprintf(cmd.ErrOrStderr(), "see %s --help\n", ran.CommandPath())
	}
	return code
}

// printable keeps what strangers wrote, in an error or a tenant's name, from moving about on
// a terminal. Lines stay lines.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// Output is a flag: text, for people, or json, for machines.
type Output string

// The outputs.
const (
	Text Output = "text"
	JSON Output = "json"
)

// AddOutput gives a command and its subcommands the flag --output.
func AddOutput(cmd *cobra.Command, o *Output) {
	*o = Text
	cmd.PersistentFlags().VarP(o, "output", "o", "text or json")
}

func (o *Output) String() string { return string(*o) }

// Type is for the help.
func (o *Output) Type() string { return "format" }

// Set implements a flag's value.
func (o *Output) Set(s string) error {
	if !slices.Contains([]Output{Text, JSON}, Output(s)) {
		return errors.New("it is not text or json")
	}
	*o = Output(s)
	return nil
}

// Count is so many of something, as 1 worker and 2 workers.
func Count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// Alarm makes a text stand out if somebody watches what is written.
func Alarm(w io.Writer, text string) string {
	const red, plain = "\x1b[1;31m", "\x1b[0m"
	if !IsTerminal(w) {
		return text
	}
	return red + text + plain
}

// IsTerminal says whether somebody watches what is written.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// Progress shows on a terminal how far a phase is, on one line that goes away when the
// phase is over. Elsewhere it shows nothing.
func Progress(w io.Writer) func(phase string, done, of int) {
	if !IsTerminal(w) {
		return func(string, int, int) {}
	}
	const erase, interval = "\r\x1b[K", 100 * time.Millisecond
	var last time.Time
	return func(phase string, done, of int) {
		if done < of && time.Since(last) < interval {
			return
		}
		last = time.Now()
		line := fmt.Sprintf("%s%s: %d of %d", erase, printable(phase), done, of)
		if done >= of {
			line = erase
		}
		io.WriteString(w, line) //nolint:errcheck // nobody watches any more
	}
}
