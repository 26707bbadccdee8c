package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

// maxSecret bounds a secret that is read, in bytes.
const maxSecret = 4 << 10

// ReadSecret reads a secret: from a file, or from in if the name is empty or -. Somebody who
// types it at a terminal is asked for it, by what it is, and does not see it. Space around it is
// no part of it. It is the caller's to wipe (clear); no error quotes it. A secret is never a flag:
// those stand in the list of processes, and in the shell's history.
func ReadSecret(in io.Reader, ask io.Writer, file, what string) ([]byte, error) {
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, Usagef("%s: %w", what, err)
		}
		defer func() { _ = f.Close() }()
		return readSecret(f, what)
	}
	terminal, ok := in.(*os.File)
	if !ok || !isatty.IsTerminal(terminal.Fd()) {
		return readSecret(in, what)
	}
	fmt.Fprintf(ask, "%s: ", what)
	typed, err := term.ReadPassword(int(terminal.Fd()))
	fmt.Fprintln(ask)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return trimmed(typed, what)
}

func readSecret(from io.Reader, what string) ([]byte, error) {
	all := make([]byte, maxSecret+1)
	n, err := io.ReadFull(from, all)
	switch {
	case err == nil:
		clear(all)
		return nil, Usagef("%s: it has more than %d bytes", what, maxSecret)
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		clear(all)
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return trimmed(all[:n], what)
}

// trimmed is a part of what was read.
func trimmed(all []byte, what string) ([]byte, error) {
	secret := bytes.TrimSpace(all)
	if len(secret) == 0 {
		return nil, Usagef("%s: there is none", what)
	}
	return secret, nil
}
