package natsconn_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The server's client library of operating system figures keeps one for good.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/pse.periodic"))
}

// serve runs a NATS server until the test ends.
func serve(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	o.Host, o.NoLog, o.NoSigs = "127.0.0.1", true, true
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	srv, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not come up")
	}
	return srv
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestIdentities(t *testing.T) {
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		server  server.Options
		options natsconn.Options
	}{
		{"nobody", server.Options{}, natsconn.Options{}},
		{"user", server.Options{Username: "u", Password: "p@ss"}, natsconn.Options{User: "u", Password: "p@ss"}},
		{"token", server.Options{Authorization: "t0ken"}, natsconn.Options{Token: "t0ken"}},
		{"nkey", server.Options{Nkeys: []*server.NkeyUser{{Nkey: public}}}, natsconn.Options{NKey: write(t, "seed", seed)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := test.options
			o.URL = serve(t, test.server).ClientURL()
			nc, err := natsconn.Dial(t.Context(), "a test", o)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if err := nc.Flush(); err != nil {
				t.Error(err)
			}
			if nc.Opts.Name != "a test" {
				t.Errorf("its name is %q", nc.Opts.Name)
			}
			if test.name == "nobody" {
				return
			}
			if nc, err := natsconn.Dial(t.Context(), "a test", natsconn.Options{URL: o.URL}); !errors.Is(err, nats.ErrAuthorization) || !strings.Contains(err.Error(), "set NATS_CREDS") {
				t.Errorf("without it: %v, %v", nc, err)
			}
		})
	}
}

// certificate makes an authority and a certificate for 127.0.0.1 of both ends; the files
// are PEM.
func certificate(t *testing.T) (ca, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert = write(t, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return cert, cert, write(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

func TestTLS(t *testing.T) {
	ca, cert, key := certificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	url := serve(t, server.Options{
		TLS:        true,
		TLSTimeout: 5,
		TLSConfig: &tls.Config{
			MinVersion:   tls.VersionTLS12,
			Certificates: []tls.Certificate{pair},
			ClientCAs:    trusted,
			ClientAuth:   tls.RequireAndVerifyClientCert,
		},
	}).ClientURL()

	nc, err := natsconn.Dial(t.Context(), "a test", natsconn.Options{URL: url, CA: ca, Cert: cert, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.Flush(); err != nil {
		t.Error(err)
	}
	if _, err := natsconn.Dial(t.Context(), "a test", natsconn.Options{URL: url}); err == nil || !strings.Contains(err.Error(), "set NATS_CA") {
		t.Errorf("without the authority: %v", err)
	}
	if _, err := natsconn.Dial(t.Context(), "a test", natsconn.Options{URL: url, CA: ca}); err == nil {
		t.Error("connected without a certificate")
	}
}

// Every error says what is wrong and what to set, and shows no secret.
func TestDialRefuses(t *testing.T) {
	const nowhere = "127.0.0.1:1" // reserved, nobody listens
	for _, test := range []struct {
		name    string
		options natsconn.Options
		want    string
	}{
		{"nobody listens", natsconn.Options{URL: nowhere}, "cannot connect to nats://127.0.0.1:1: nats: no servers available for connection (is a server running there? Set NATS_URL"},
		{"a password in the address", natsconn.Options{URL: "nats://u:PRIVATE@" + nowhere + ", nats://PRIVATE@" + nowhere}, "cannot connect to nats://xxxxx@127.0.0.1:1,nats://xxxxx@127.0.0.1:1: "},
		{"a password that breaks the address", natsconn.Options{URL: "nats://u:PRI%VATE@" + nowhere}, "NATS_URL: server 1 is no address"},
		{"a second address without host", natsconn.Options{URL: nowhere + ",nats://"}, "NATS_URL: server 2 is no address"},
		{"two identities", natsconn.Options{Creds: "PRIVATE", Token: "PRIVATE"}, "NATS_CREDS and NATS_TOKEN are all set"},
		{"a password of nobody", natsconn.Options{Password: "PRIVATE"}, "NATS_USER: is required"},
		{"a certificate without key", natsconn.Options{Cert: "c.pem"}, "NATS_KEY: is required"},
		{"a key without certificate", natsconn.Options{Key: "k.pem"}, "NATS_CERT: is required"},
		{"a seed that is not there", natsconn.Options{NKey: "gone"}, "NATS_NKEY: "},
		{"a seed that is none", natsconn.Options{NKey: write(t, "seed", []byte("PRIVATE"))}, "NATS_NKEY: "},
		{"authorities that are not there", natsconn.Options{URL: nowhere, CA: "gone.pem"}, "gone.pem"},
		{"a certificate that is not there", natsconn.Options{URL: nowhere, Cert: "gone.pem", Key: "gone.key"}, "gone.pem"},
	} {
		t.Run(test.name, func(t *testing.T) {
			nc, err := natsconn.Dial(t.Context(), "a test", test.options)
			if err == nil {
				nc.Close()
				t.Fatal("connected")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want … %s …", err, test.want)
			}
			if strings.Contains(err.Error(), "PRIVATE") || strings.Contains(err.Error(), "PRI%VATE") {
				t.Errorf("shows a secret: %v", err)
			}
		})
	}
}

// A server that takes connections and says nothing holds nobody past the context.
func TestDialEndsWithItsContext(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		conn, err := mute.Accept()
		if err != nil {
			return
		}
		cancel(cause)
		_, _ = conn.Read(make([]byte, 1)) // until the client gives up
		_ = conn.Close()
	}()
	_, err = natsconn.Dial(ctx, "a test", natsconn.Options{URL: mute.Addr().String()})
	if !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	<-accepted
	if _, err := natsconn.Dial(ctx, "a test", natsconn.Options{URL: mute.Addr().String()}); !errors.Is(err, cause) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// The connection outlives the context that it was dialled with, and the server's restart.
func TestReconnects(t *testing.T) {
	srv := serve(t, server.Options{})
	port := srv.Addr().(*net.TCPAddr).Port
	ctx, cancel := context.WithCancel(t.Context())
	lost, back := make(chan struct{}, 1), make(chan struct{}, 1)
	nc, err := natsconn.Dial(ctx, "a test", natsconn.Options{URL: srv.ClientURL()},
		nats.ReconnectWait(time.Millisecond), nats.ReconnectJitter(time.Millisecond, time.Millisecond),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { lost <- struct{}{} }),
		nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	cancel()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	srv.Shutdown()
	srv.WaitForShutdown()
	<-lost
	serve(t, server.Options{Port: port})
	<-back
	if err := nc.Flush(); err != nil {
		t.Error(err)
	}
	if nc.Opts.MaxReconnect != -1 {
		t.Errorf("gives up after %d times", nc.Opts.MaxReconnect)
	}
}

func TestFromEnv(t *testing.T) {
	all := map[string]string{
		"NATS_URL": "nats://a:1,nats://b:2", "NATS_CREDS": "creds", "NATS_NKEY": "nkey", "NATS_USER": "user", "NATS_PASSWORD": "password",
		"NATS_TOKEN": "token", "NATS_CERT": "cert", "NATS_KEY": "key", "NATS_CA": "ca",
	}
	for variable := range all {
		t.Setenv(variable, "") // restores it
		if err := os.Unsetenv(variable); err != nil {
			t.Fatal(err)
		}
	}
	o, err := natsconn.FromEnv()
	if want := (natsconn.Options{URL: "nats://127.0.0.1:4222"}); err != nil || o != want {
		t.Errorf("of nothing: %v: %v", o, err)
	}
	for variable, value := range all {
		t.Setenv(variable, value)
	}
	o, err = natsconn.FromEnv()
	want := natsconn.Options{
		URL: "nats://a:1,nats://b:2", Creds: "creds", NKey: "nkey", User: "user", Password: "password", Token: "token", Cert: "cert", Key: "key", CA: "ca",
	}
	if err != nil || o != want {
		t.Errorf("got %v: %v", o, err)
	}
}

func TestOr(t *testing.T) {
	env := natsconn.Options{URL: "env", User: "u", Password: "p", Cert: "c", Key: "k", CA: "ca"}
	for _, test := range []struct {
		name              string
		flags, env, wants natsconn.Options
	}{
		{"no flag", natsconn.Options{}, env, env},
		{"an address", natsconn.Options{URL: "flag"}, env, natsconn.Options{URL: "flag", User: "u", Password: "p", Cert: "c", Key: "k", CA: "ca"}},
		{"another identity", natsconn.Options{Creds: "x"}, env, natsconn.Options{URL: "env", Creds: "x", Cert: "c", Key: "k", CA: "ca"}},
		{"another certificate", natsconn.Options{Cert: "x", Key: "y"}, env, natsconn.Options{URL: "env", User: "u", Password: "p", Cert: "x", Key: "y", CA: "ca"}},
		{"nothing at all", natsconn.Options{}, natsconn.Options{}, natsconn.Options{}},
	} {
		if got := test.flags.Or(test.env); got != test.wants {
			t.Errorf("%s: got %#v", test.name, got)
		}
	}
}

func ExampleOptions() {
	o := natsconn.Options{URL: "nats://ann:s3cret@nats:4222", User: "ann", Password: "s3cret"}
	fmt.Printf("%+v\n", o)
	// Output: nats://xxxxx@nats:4222 as NATS_USER
}

// A server that no longer knows us, again and again, may know us later: the client would
// close the connection for ever at the second refusal.
func TestReconnectsThroughRefusals(t *testing.T) {
	srv := serve(t, server.Options{Username: "u", Password: "right"})
	port := srv.Addr().(*net.TCPAddr).Port
	refused, back := make(chan error, 1000), make(chan struct{}, 1)
	nc, err := natsconn.Dial(t.Context(), "a test", natsconn.Options{URL: srv.ClientURL(), User: "u", Password: "right"},
		nats.ReconnectWait(time.Millisecond), nats.ReconnectJitter(time.Millisecond, time.Millisecond),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }),
		nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	stop := func(s *server.Server) { s.Shutdown(); s.WaitForShutdown() }
	stop(srv)
	other := serve(t, server.Options{Port: port, Username: "u", Password: "wrong"})
	for range 5 {
		if err := <-refused; !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("got %v", err)
		}
	}
	stop(other)
	if err := nc.Publish("a", nil); !errors.Is(err, nats.ErrReconnectBufExceeded) {
		t.Errorf("a publish without a connection: %v", err)
	}
	serve(t, server.Options{Port: port, Username: "u", Password: "right"})
	<-back
	if err := nc.Flush(); err != nil {
		t.Error(err)
	}
}
