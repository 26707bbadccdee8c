// Package natsconn connects to NATS by the usual variables and flags.
package natsconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
)

// connectTimeout bounds the first connection to one server, and each later one.
const connectTimeout = 5 * time.Second

// Dial connects, and then stays connected: it reconnects for ever, with jitter, until the
// connection is closed, whatever the server says meanwhile. Between two connections nothing
// is kept to be sent later: a publish fails at once, with [nats.ErrReconnectBufExceeded].
// ctx bounds the first connection only. name is shown in the
// server's list of connections; extra options go over Dial's own, as
// [nats.ErrorHandler]. Close what it returns.
func Dial(ctx context.Context, name string, o Options, extra ...nats.Option) (*nats.Conn, error) {
	if o.URL == "" {
		o.URL = nats.DefaultURL
	}
	if err := checkAddresses(o.URL); err != nil {
		return nil, err
	}
	credentials, err := o.credentials()
	if err != nil {
		return nil, err
	}
	first := &dialer{first: ctx}
	opts := append([]nats.Option{
		nats.Name(name),
		nats.Timeout(connectTimeout),
		nats.SetCustomDialer(first),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(500*time.Millisecond, time.Second),
		nats.IgnoreAuthErrorAbort(), // a server that does not know us may again
		nats.PermissionErrOnSubscribe(true),
		nats.ReconnectBufSize(-1),          // what cannot be sent now is not sent behind our back later
		nats.PingInterval(2 * time.Second), // a server that is gone without a word is left for another soon
		nats.MaxPingsOutstanding(2),
	}, credentials...)
	nc, err := nats.Connect(o.URL, append(opts, extra...)...)
	first.done()
	switch {
	case ctx.Err() != nil:
		if err == nil {
			nc.Close()
		}
		return nil, fmt.Errorf("natsconn: connecting to %s: %w", redact(o.URL), context.Cause(ctx))
	case err != nil:
		why, passing := advice(err)
		if passing {
			err = unreachable{err}
		}
		return nil, fmt.Errorf("natsconn: cannot connect to %s: %w (%s)", redact(o.URL), err, why)
	}
	if err := watchInbox(nc, firstDeaf, lastDeaf); err != nil {
		nc.Close()
		return nil, fmt.Errorf("natsconn: %w", err)
	}
	return nc, nil
}

// Await is Dial for those who have time: while no server can be reached, it tells waiting
// why, and tries again, until ctx ends. Whatever only a person can mend ends it at once.
func Await(ctx context.Context, name string, o Options, waiting func(error), extra ...nats.Option) (*nats.Conn, error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		nc, err := Dial(ctx, name, o, extra...)
		if _, passing := errors.AsType[unreachable](err); !passing {
			return nc, err
		}
		waiting(err)
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// The bounds of the pause between two first connections.
const firstPause, lastPause = 250 * time.Millisecond, 2 * time.Second

// unreachable is a failure to connect that may pass by itself.
type unreachable struct{ error }

func (u unreachable) Unwrap() error { return u.error }

// advice says what to do about a connection that failed, and whether it may pass by itself.
func advice(err error) (what string, passing bool) {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return "the server does not know us: set NATS_CREDS, NATS_NKEY, NATS_TOKEN, or NATS_USER and NATS_PASSWORD", false
	case untrusted:
		return "set NATS_CA to the authority that signed the server's certificate", false
	case errors.Is(err, nats.ErrSecureConnWanted), errors.Is(err, nats.ErrSecureConnRequired):
		return "one side wants TLS and the other does not: look at NATS_URL, NATS_CA and NATS_CERT", false
	}
	return "is a server running there? Set NATS_URL to where it is", true
}
