package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/seal"
	"github.com/spf13/cobra"
)

func newKeygen() *cobra.Command {
	var (
		add    bool
		output cli.Output
	)
	cmd := &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make an identity with which workers open tenants' credentials; print its recipient",
		Long: `Writes an identity to FILE, which only its owner can read, and prints the recipient: the public
half, to which credentials are sealed. Every worker needs the file (ORDERFLEET_IDENTITY_FILE),
nobody else; who has it can open what was ever sealed to it. The file names its recipients, too.

To change the identity while the fleet trades: add a new one to the workers' files (--add; they
read them again by themselves), tell its recipient (fleetctl recipient add), have the
credentials sealed again (fleetctl credential reseal --all), remove the old recipient (fleetctl
recipient remove), seal once more, and then take the old identity out of the files.`,
		Example: `  worker keygen identity.txt
  fleetctl recipient add "$(worker keygen identity.txt)" --reason "the first"
  worker keygen --add identity.txt`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			recipient, err := keygen(args[0], add)
			if err != nil {
				return err
			}
			if output == cli.JSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
					Recipient string `json:"recipient"`
					File      string `json:"file"`
				}{recipient, args[0]})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), recipient)
			return err
		},
	}
	cmd.Flags().BoolVar(&add, "add", false, "add the identity to a file that is there")
	cli.AddOutput(cmd, &output)
	return cmd
}

// keygen writes a new identity to a file, and returns its recipient.
func keygen(path string, add bool) (recipient string, err error) {
	identity, recipient, err := seal.Keygen()
	if err != nil {
		return "", err
	}
	defer clear(identity)
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if add {
		flags = os.O_RDWR
	}
	file, err := os.OpenFile(path, flags, 0o600)
	switch {
	case errors.Is(err, os.ErrExist):
		return "", cli.Usagef("%s is there already, and may be the only copy of an identity: choose another name, or --add", path)
	case err != nil:
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	var lines bytes.Buffer
	if add {
		if err := behind(file, &lines); err != nil {
			return "", err
		}
	}
	fmt.Fprintf(&lines, "# made: %s\n# recipient: %s\n", time.Now().UTC().Format(time.RFC3339), recipient)
	lines.Grow(len(identity) + 1) // it is wiped below, in one piece
	lines.Write(identity)
	lines.WriteByte('\n')
	written := lines.Bytes()
	defer clear(written)
	if _, err := file.Write(written); err != nil {
		return "", err
	}
	return recipient, file.Sync()
}

// behind goes to the end of a file whose last line may lack its end.
func behind(file *os.File, lines *bytes.Buffer) error {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return err
	}
	var last [1]byte
	if _, err := file.ReadAt(last[:], size-1); err != nil {
		return err
	}
	if last[0] != '\n' {
		lines.WriteByte('\n')
	}
	return nil
}
