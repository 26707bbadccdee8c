// Package natsconn connects to NATS by the usual variables and flags.
package natsconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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
		nats.ReconnectBufSize(-1), // what cannot be sent now is not sent behind our back later
		nats.PingInterval(10 * time.Second),
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
		return nil, fmt.Errorf("natsconn: cannot connect to %s: %w (%s)", redact(o.URL), err, advice(err))
	}
	if err := watchInbox(nc); err != nil {
		nc.Close()
		return nil, fmt.Errorf("natsconn: %w", err)
	}
	return nc, nil
}

// advice says what to do about a connection that failed.
func advice(err error) string {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return "the server does not know us: set NATS_CREDS, NATS_NKEY, NATS_TOKEN, or NATS_USER and NATS_PASSWORD"
	case untrusted:
		return "set NATS_CA to the authority that signed the server's certificate"
	case errors.Is(err, nats.ErrSecureConnWanted), errors.Is(err, nats.ErrSecureConnRequired):
		return "one side wants TLS and the other does not: look at NATS_URL, NATS_CA and NATS_CERT"
	}
	return "is a server running there? Set NATS_URL to where it is"
}
