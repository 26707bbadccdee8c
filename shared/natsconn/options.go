package natsconn

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/kelseyhightower/envconfig"
	"github.com/nats-io/nats.go"
)

// Options say where the server is and who we are. Their variables are NATS's customary
// ones, without a prefix. Printed, they show no secret.
type Options struct {
	URL      string `envconfig:"NATS_URL" default:"nats://127.0.0.1:4222" desc:"servers, separated by commas"`
	Creds    string `envconfig:"NATS_CREDS" desc:"credentials file"`
	NKey     string `envconfig:"NATS_NKEY" desc:"file with an nkey seed"`
	User     string `envconfig:"NATS_USER" desc:"user name"`
	Password string `envconfig:"NATS_PASSWORD" desc:"password of that user"`
	Token    string `envconfig:"NATS_TOKEN" desc:"token, instead of a user"`
	Cert     string `envconfig:"NATS_CERT" desc:"client certificate file (PEM)"`
	Key      string `envconfig:"NATS_KEY" desc:"its key file (PEM)"`
	CA       string `envconfig:"NATS_CA" desc:"file with the authorities to trust (PEM)"`
}

// FromEnv reads the variables.
func FromEnv() (Options, error) {
	var o Options
	if err := envconfig.Process("", &o); err != nil {
		return o, fmt.Errorf("natsconn: %w", err)
	}
	return o, nil
}

// Or fills what o, of the flags, leaves open from other, of the environment. Who o says
// we are, if it does, replaces the other's identity as a whole.
func (o Options) Or(other Options) Options {
	if o.URL == "" {
		o.URL = other.URL
	}
	if len(o.identities()) == 0 {
		o.Creds, o.NKey, o.User, o.Password, o.Token = other.Creds, other.NKey, other.User, other.Password, other.Token
	}
	if o.Cert == "" && o.Key == "" {
		o.Cert, o.Key = other.Cert, other.Key
	}
	if o.CA == "" {
		o.CA = other.CA
	}
	return o
}

// Format implements [fmt.Formatter]: where to and as what, but no secret.
func (o Options) Format(f fmt.State, _ rune) {
	who := "nobody"
	if set := o.identities(); len(set) > 0 {
		who = strings.Join(set, " and ")
	}
	fmt.Fprintf(f, "%s as %s", redact(o.URL), who)
}

// identities are the variables that say who we are.
func (o Options) identities() []string {
	var set []string
	for _, v := range []struct{ variable, value string }{
		{"NATS_CREDS", o.Creds},
		{"NATS_NKEY", o.NKey},
		{"NATS_TOKEN", o.Token},
		{"NATS_USER", o.User},
	} {
		if v.value != "" {
			set = append(set, v.variable)
		}
	}
	return set
}

// credentials turns who we are, and whom we trust, into the client's options.
func (o Options) credentials() ([]nats.Option, error) {
	identities := o.identities()
	switch {
	case len(identities) > 1:
		return nil, fmt.Errorf("natsconn: %s are all set, and each says who we are: keep one", strings.Join(identities, " and "))
	case o.Password != "" && o.User == "":
		return nil, errors.New("natsconn: NATS_USER: is required beside NATS_PASSWORD")
	case o.Cert != "" && o.Key == "":
		return nil, errors.New("natsconn: NATS_KEY: is required beside NATS_CERT")
	case o.Key != "" && o.Cert == "":
		return nil, errors.New("natsconn: NATS_CERT: is required beside NATS_KEY")
	}
	var opts []nats.Option
	switch {
	case o.Creds != "":
		opts = append(opts, nats.UserCredentials(o.Creds))
	case o.NKey != "":
		opt, err := nats.NkeyOptionFromSeed(o.NKey)
		if err != nil {
			return nil, fmt.Errorf("natsconn: NATS_NKEY: %w", err)
		}
		opts = append(opts, opt)
	case o.Token != "":
		opts = append(opts, nats.Token(o.Token))
	case o.User != "":
		opts = append(opts, nats.UserInfo(o.User, o.Password))
	}
	if o.Cert != "" || o.CA != "" {
		opts = append(opts, nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12}))
	}
	if o.Cert != "" {
		opts = append(opts, nats.ClientCert(o.Cert, o.Key))
	}
	if o.CA != "" {
		opts = append(opts, nats.RootCAs(o.CA))
	}
	return opts, nil
}

// checkAddresses refuses what is no server's address. It quotes nothing: the client's
// own error would show a password.
func checkAddresses(urls string) error {
	for i, part := range strings.Split(urls, ",") {
		if strings.TrimSpace(part) == "" {
			continue // as after a last comma; the client passes over it too
		}
		if u, err := parseAddress(part); err != nil || u.Hostname() == "" {
			return fmt.Errorf("natsconn: NATS_URL: server %d is no address as nats://host:4222 (in a password, write %%40 for @)", i+1)
		}
	}
	return nil
}

// redact takes user names, passwords and tokens out of server addresses.
func redact(urls string) string {
	parts := strings.Split(urls, ",")
	for i, part := range parts {
		u, err := parseAddress(part)
		if err != nil {
			parts[i] = "(no address)"
			continue
		}
		if u.User != nil {
			u.User = url.User("xxxxx")
		}
		parts[i] = u.String()
	}
	return strings.Join(parts, ",")
}

// parseAddress reads an address as the NATS client does: the scheme may be left out.
func parseAddress(s string) (*url.URL, error) {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "://") {
		s = "nats://" + s
	}
	return url.Parse(s)
}
