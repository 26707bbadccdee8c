// Package vaultcmd is the command "credential" as operators (fleetctl) and tenants' own users
// (producer) have it: set, show, remove. It reads secrets from files, standard input or a
// terminal, never from a flag, and shows none.
package vaultcmd

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/shared/vault"
	"github.com/spf13/cobra"
)

// Program is what a program does about its own matters.
type Program struct {
	Name string // for the examples
	// Open connects, as somebody who signs with by, which is nil if sign is false; close ends it.
	Open func(cmd *cobra.Command, sign bool) (v *vault.Vault, by *registry.Signer, closes func(), err error)
	// Output is the program's flag.
	Output *cli.Output
	// Reason is what a change is for if nobody says; empty: somebody has to.
	Reason string
}

// New makes the command.
func New(p *Program) *cobra.Command {
	cmd := cli.Command(&cobra.Command{
		Use:   "credential",
		Short: "Set, show and remove tenants' keys at their brokers, which only workers can open",
		Long: `A tenant's keys are sealed (age) before they leave this program, to the workers' recipients, and
kept on the NATS server. Whoever sets them cannot read them again, nor can anybody but the
workers. Each change is signed and stays on record; what was set before is removed. The
tenant's session uses the new keys from its next request on: set them, and then have the
broker revoke the old ones.`,
		Example: p.examples(
			"credential set acme --key-id AK1 --secret-file acme.secret",
			"credential show acme"),
	})
	cmd.AddCommand(newSet(p), newShow(p), newRemove(p))
	return cmd
}

// examples are lines of the program's.
func (p *Program) examples(lines ...string) string {
	for i, line := range lines {
		if p.Reason == "" && !strings.Contains(line, " show ") {
			line += ` --reason "new client"`
		}
		lines[i] = "  " + p.Name + " " + line
	}
	return strings.Join(lines, "\n")
}

// reason is the flag, and what it may be.
func (p *Program) reason(cmd *cobra.Command, into *string) {
	usage := "why; kept with the change, for ever (required)"
	if p.Reason != "" {
		usage = "why; kept with the change, for ever"
	}
	cmd.Flags().StringVar(into, "reason", p.Reason, usage)
}

func checkReason(reason string) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return cli.Usagef("--reason: say why; it is kept with the change")
	case len(reason) > order.MaxControlReason:
		return cli.Usagef("--reason: it has %d bytes, more than %d", len(reason), order.MaxControlReason)
	}
	return nil
}

// secrets are the flags that say where keys come from.
type secrets struct{ keyID, account, secretFile, oauthFile string }

func (s *secrets) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&s.keyID, "key-id", "", "the key's id; its secret is asked for, or read from standard input")
	flags.StringVar(&s.secretFile, "secret-file", "", "`file` with the key's secret instead; - is standard input")
	flags.StringVar(&s.oauthFile, "oauth-file", "", "`file` with an OAuth token, in the place of a key; - is standard input")
	flags.StringVar(&s.account, "account", "", "`id` of the account that a correspondent's key acts for, at the Broker API")
}

// read reads the keys, which the caller wipes.
func (s *secrets) read(cmd *cobra.Command) (tenant.Credentials, error) {
	file, what := s.secretFile, "secret"
	switch {
	case s.oauthFile != "" && (s.keyID != "" || s.secretFile != "" || s.account != ""):
		return tenant.Credentials{}, cli.Usagef("--oauth-file: stands beside a key; which is meant?")
	case s.oauthFile != "":
		file, what = s.oauthFile, "OAuth token"
	case s.keyID == "":
		return tenant.Credentials{}, cli.Usagef("--key-id: say which key, or --oauth-file")
	}
	secret, err := cli.ReadSecret(cmd.InOrStdin(), cmd.ErrOrStderr(), file, what)
	if err != nil {
		return tenant.Credentials{}, err
	}
	defer clear(secret)
	var c tenant.Credentials
	if s.oauthFile != "" {
		c = tenant.NewCredentials(nil, nil, secret, nil)
	} else {
		c = tenant.NewCredentials([]byte(s.keyID), secret, nil, []byte(s.account))
	}
	if err := c.Validate(); err != nil {
		c.Wipe()
		return tenant.Credentials{}, cli.Usage(err)
	}
	return c, nil
}

func newSet(p *Program) *cobra.Command {
	var (
		from           secrets
		broker, reason string
	)
	cmd := &cobra.Command{
		Use:   "set TENANT",
		Short: "Seal a tenant's keys and put them in the place of those it has",
		Long: `Reads a key's secret from --secret-file, from standard input, or from the terminal, where it is
not shown; seals it to the workers' recipients; and makes it the tenant's. A secret is never
a flag: those stand in the list of processes. The keys are for the broker that the tenant's
settings name now, or for --broker, and workers show them to no other: who later changes the
broker has to set them again.`,
		Example: p.examples(
			"credential set acme --key-id AK1 --secret-file acme.secret",
			"credential set acme --key-id CK1 --secret-file ck.secret --account 0d18ae51-2f22",
			"credential set acme --oauth-file token"),
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := check(args[0], reason); err != nil {
				return err
			}
			keys, err := from.read(cmd)
			if err != nil {
				return err
			}
			defer keys.Wipe()
			if broker != "" {
				keys.Broker = (&tenant.Settings{Broker: broker}).BaseURL()
				if err := keys.Validate(); err != nil {
					return cli.Usagef("--broker: %w", err)
				}
			}
			v, by, closes, err := p.Open(cmd, true)
			if err != nil {
				return err
			}
			defer closes()
			if keys.Broker == "" {
				if keys.Broker, err = v.Broker(cmd.Context(), args[0]); err != nil {
					return fmt.Errorf("for which broker the keys are: %w; or say --broker", err)
				}
			}
			held, err := v.Set(cmd.Context(), by, args[0], keys, reason)
			if held.Revision == 0 {
				return err
			}
			return show(cmd.OutOrStdout(), *p.Output, held, err)
		},
	}
	from.add(cmd)
	cmd.Flags().StringVar(&broker, "broker", "", "`address` of the only broker that the keys are for, as live, paper or a URL; that of the tenant's settings if empty")
	p.reason(cmd, &reason)
	return cmd
}

func check(name, reason string) error {
	if err := order.ValidTenant(name); err != nil {
		return cli.Usage(err)
	}
	return checkReason(reason)
}

func newShow(p *Program) *cobra.Command {
	return &cobra.Command{
		Use:     "show TENANT",
		Short:   "Show which kind of keys a tenant has, since when, by whom, and who can open them",
		Example: p.examples("credential show acme", "credential show acme -o json"),
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := order.ValidTenant(args[0]); err != nil {
				return cli.Usage(err)
			}
			v, _, closes, err := p.Open(cmd, false)
			if err != nil {
				return err
			}
			defer closes()
			held, err := v.Show(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return show(cmd.OutOrStdout(), *p.Output, held, nil)
		},
	}
}

func newRemove(p *Program) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:     "remove TENANT",
		Short:   "Take a tenant's keys away: its intents are blocked from then on",
		Example: p.examples("credential remove acme"),
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := check(args[0], reason); err != nil {
				return err
			}
			v, by, closes, err := p.Open(cmd, true)
			if err != nil {
				return err
			}
			defer closes()
			revision, err := v.Remove(cmd.Context(), by, args[0], reason)
			if revision == 0 {
				return err
			}
			if *p.Output == cli.JSON {
				return cmp.Or(json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
					Tenant   string `json:"tenant"`
					Revision uint64 `json:"revision"`
				}{args[0], revision}), err)
			}
			_, wrote := fmt.Fprintf(cmd.OutOrStdout(), "%s has no keys any more, at revision %d\n", args[0], revision)
			return cmp.Or(wrote, err)
		},
	}
	p.reason(cmd, &reason)
	return cmd
}

// show shows which credentials a tenant has; what went wrong after they were set is the
// command's error.
func show(w io.Writer, output cli.Output, h vault.Held, after error) error {
	if output == cli.JSON {
		return cmp.Or(json.NewEncoder(w).Encode(h), after)
	}
	_, err := fmt.Fprintf(w, "%s: %s since %s, by %s (%s): %s\n  sealed to %s\n  digest %s, revision %d\n",
		h.Tenant, h.Kind, h.Since.UTC().Format(time.RFC3339), h.By, h.Signer, h.Reason, strings.Join(h.Recipients, ", "), h.Digest, h.Revision)
	return cmp.Or(err, after)
}
