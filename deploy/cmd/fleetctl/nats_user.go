package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/orderfleet/orderfleet/deploy/nats/borders"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/spf13/cobra"
)

func newUserAdd(b *bordering) *cobra.Command {
	var role, to, file string
	cmd := &cobra.Command{
		Use:   "add {NAME... | --file NAMES} [--to PATH]",
		Short: "Add users, and print their credentials; without a role they are tenants that produce",
		Long: `Adds users and prints their credentials, once: no copy of them is kept. They are what NATS_NKEY
names a file of or, if the configuration is one of JWTs, NATS_CREDS. Several users are added
together or not at all; --to is then a folder, in which each gets a file of its own, or with
-o json each a line.

Then have the servers reload their configuration, or push it if it is one of JWTs.`,
		Example: `  fleetctl nats user add acme > acme.nk
  fleetctl nats user add --role operator ann --to ann.nk
  fleetctl nats user add --file tenants.txt --to secrets
  fleetctl nats user add acme beta gamma -o json`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if (len(names) > 0) == (file != "") {
				return cli.Usagef("say whom: NAME..., or --file with a name a line")
			}
			r, err := borders.ParseRole(role)
			if err != nil {
				return cli.Usage(err)
			}
			if file != "" {
				if names, err = readNames(file, cmd.InOrStdin()); err != nil {
					return cli.Usagef("--file: %w", err)
				}
			}
			for _, name := range names {
				if err := (borders.User{Role: r, Name: name}).Validate(); err != nil {
					return cli.Usage(err)
				}
			}
			if len(names) > 1 && to == "" && b.output != cli.JSON {
				return cli.Usagef("--to: name a folder for the credentials of %d users, or use -o json", len(names))
			}
			f, err := borders.Open(b.folder)
			if err != nil {
				return err
			}
			keep, err := b.keeper(cmd.OutOrStdout(), to, len(names) > 1, f.Mode())
			if err != nil {
				return err
			}
			added, err := f.Add(r, names...)
			if err != nil {
				if to != "" {
					err = errors.Join(err, os.Remove(to)) // it is empty
				}
				return err
			}
			what := fmt.Sprint(added[0])
			if len(added) > 1 {
				what = fmt.Sprintf("%d of role %s", len(added), r)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "in %s: %s; %s\n", b.folder, what, spread(f.Mode()))
			for _, a := range added {
				if err := keep(a); err != nil {
					return err
				}
			}
			if to != "" && b.output == cli.JSON {
				users := make([]borders.User, len(added))
				for i, a := range added {
					users[i] = a.User
				}
				return printLines(cmd, users)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&role, "role", string(borders.Producer), fmt.Sprintf("one of %v", borders.Roles()))
	cmd.Flags().StringVar(&to, "to", "", "a new file for the credentials, rather than standard output; of several users, a new folder")
	cmd.Flags().StringVar(&file, "file", "", "`file` with a name a line; - is standard input")
	return cmd
}

// readNames reads a name a line; empty lines, and those that begin with #, are passed over.
func readNames(file string, stdin io.Reader) (names []string, err error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // it was only read
		in = f
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if name := strings.TrimSpace(lines.Text()); name != "" && !strings.HasPrefix(name, "#") {
			names = append(names, name)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s names nobody", file)
	}
	return names, nil
}

// keeper makes the place for credentials, before there is a user whose credentials nobody has,
// and returns what puts them there.
func (b *bordering) keeper(out io.Writer, to string, several bool, mode borders.Mode) (func(borders.Added) error, error) {
	switch {
	case to != "" && several:
		if err := os.Mkdir(to, 0o700); err != nil {
			return nil, fmt.Errorf("the folder for the credentials: %w", err)
		}
		end := ".nk"
		if mode == borders.Signed {
			end = ".creds"
		}
		return func(a borders.Added) error {
			f, err := newSecret(filepath.Join(to, a.Name+end))
			if err != nil {
				return err
			}
			return fill(f, a.Secret)
		}, nil
	case to != "":
		f, err := newSecret(to)
		return func(a borders.Added) error { return fill(f, a.Secret) }, err
	case b.output == cli.JSON:
		enc := json.NewEncoder(out)
		return func(a borders.Added) error {
			return enc.Encode(struct {
				borders.User
				Credentials string `json:"credentials"`
			}{a.User, string(a.Secret)})
		}, nil
	}
	return func(a borders.Added) error {
		_, err := fmt.Fprintf(out, "%s\n", a.Secret)
		return err
	}, nil
}

// newSecret makes a file that nobody else may read.
func newSecret(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the file for the credentials: %w", err)
	}
	return f, nil
}

func fill(f *os.File, secret []byte) error {
	_, err := f.Write(secret)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

func newUserList(b *bordering) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the users and their public keys",
		Example: "  fleetctl nats user list\n  fleetctl nats user list -o json",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := borders.Open(b.folder)
			if err != nil {
				return err
			}
			if b.output == cli.JSON {
				return printLines(cmd, f.Users())
			}
			for _, u := range f.Users() {
				fmt.Fprintf(cmd.OutOrStdout(), "%-9s %-24s %s\n", u.Role, u.Name, u.Key)
			}
			return nil
		},
	}
}

func newUserRemove(b *bordering) *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:     "remove NAME",
		Short:   "Remove a user: servers that know of it let it in no more, and end its connections",
		Example: "  fleetctl nats user remove acme\n  fleetctl nats user remove --role operator ann",
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			r, err := borders.ParseRole(role)
			if err != nil {
				return cli.Usage(err)
			}
			f, err := borders.Open(b.folder)
			if err != nil {
				return err
			}
			if err := f.Remove(r, names[0]); err != nil {
				return err
			}
			return b.say(cmd, map[string]any{"removed": names[0], "role": r}, fmt.Sprintf("%s %s is out; %s\n", r, names[0], spread(f.Mode())))
		},
	}
	cmd.Flags().StringVar(&role, "role", string(borders.Producer), fmt.Sprintf("one of %v", borders.Roles()))
	return cmd
}
