// Package natsconn connects to NATS by the usual variables and flags.
package natsconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
	"github.com/nats-io/nats.go"
)

// Options say where the server is and who we are. Their variables are NATS's customary
// ones, without a prefix.
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

// Or fills what o leaves open from other. Who o says we are, if it does, replaces the
// other's identity as a whole.
func (o Options) Or(other Options) Options {
	if o.URL == "" {
		o.URL = other.URL
	}
	if o.Creds == "" && o.NKey == "" && o.User == "" && o.Token == "" {
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

// connectTimeout bounds the first connection.
const connectTimeout = 5 * time.Second

// Dial connects, and then stays connected: it reconnects for ever, with jitter. name
// is shown in the server's list of connections.
func Dial(ctx context.Context, name string, o Options, extra ...nats.Option) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name(name),
		nats.Timeout(connectTimeout),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(500*time.Millisecond, time.Second),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
	}
	auth, err := o.identity()
	if err != nil {
		return nil, err
	}
	opts = append(append(opts, auth...), extra...)
	type result struct {
		nc  *nats.Conn
		err error
	}
	dialled := make(chan result, 1)
	go func() {
		nc, err := nats.Connect(o.URL, opts...)
		dialled <- result{nc, err}
	}()
	select {
	case r := <-dialled:
		if r.err != nil {
			return nil, fmt.Errorf("natsconn: cannot connect to %s: %w (set NATS_URL, or --server)", redact(o.URL), r.err)
		}
		return r.nc, nil
	case <-ctx.Done():
		if r := <-dialled; r.err == nil { // within connectTimeout
			r.nc.Close()
		}
		return nil, context.Cause(ctx)
	}
}

// identity turns who we are into the client's options.
func (o Options) identity() ([]nats.Option, error) {
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
	switch {
	case o.Cert != "" && o.Key != "":
		opts = append(opts, nats.ClientCert(o.Cert, o.Key))
	case o.Cert != "":
		return nil, errors.New("natsconn: NATS_KEY: is required beside NATS_CERT")
	case o.Key != "":
		return nil, errors.New("natsconn: NATS_CERT: is required beside NATS_KEY")
	}
	if o.CA != "" {
		opts = append(opts, nats.RootCAs(o.CA))
	}
	if o.Cert != "" || o.CA != "" {
		opts = append(opts, nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12}))
	}
	return opts, nil
}

// redact takes passwords out of server addresses.
func redact(urls string) string {
	parts := strings.Split(urls, ",")
	for i, part := range parts {
		part = strings.TrimSpace(part)
		u, err := url.Parse(part)
		switch {
		case err != nil && strings.Contains(part, "@"):
			part = part[strings.LastIndex(part, "@")+1:]
		case err == nil && u.User != nil:
			u.User = url.User("xxxxx")
			part = u.String()
		}
		parts[i] = part
	}
	return strings.Join(parts, ",")
}
