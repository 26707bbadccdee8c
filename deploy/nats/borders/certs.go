package borders

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Certs makes a new certificate authority and one certificate that serves all servers with
// these host names or addresses, as files of a folder: ca.pem, server.pem and server.key. The
// authority's own key is thrown away. For development: in production certificates are the
// business of whoever already issues them. It overwrites nothing.
func Certs(folder string, hosts []string, valid time.Duration) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("borders: %w", err)
	}
	authority, err := newCert("orderfleet development authority", valid)
	if err != nil {
		return err
	}
	authority.template.IsCA, authority.template.BasicConstraintsValid = true, true
	authority.template.KeyUsage = x509.KeyUsageCertSign
	server, err := newCert("orderfleet NATS server", valid)
	if err != nil {
		return err
	}
	server.template.KeyUsage = x509.KeyUsageDigitalSignature
	// A server is a client to the other servers of its cluster.
	server.template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			server.template.IPAddresses = append(server.template.IPAddresses, ip)
		} else {
			server.template.DNSNames = append(server.template.DNSNames, h)
		}
	}
	key, err := x509.MarshalPKCS8PrivateKey(server.key)
	if err != nil {
		return fmt.Errorf("borders: encode the server's key: %w", err)
	}
	for _, f := range []struct {
		name, kind string
		der        func() ([]byte, error)
	}{
		{"server.key", "PRIVATE KEY", func() ([]byte, error) { return key, nil }}, // first: it overwrites nothing
		{"ca.pem", "CERTIFICATE", func() ([]byte, error) { return authority.sign(authority) }},
		{"server.pem", "CERTIFICATE", func() ([]byte, error) { return server.sign(authority) }},
	} {
		der, err := f.der()
		if err != nil {
			return err
		}
		if err := writeSecret(filepath.Join(folder, f.name), pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: der})); err != nil {
			return err
		}
	}
	return nil
}

// cert is a certificate to be, and its key.
type cert struct {
	template *x509.Certificate
	key      *ecdsa.PrivateKey
}

func newCert(name string, valid time.Duration) (*cert, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("borders: make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("borders: make a serial number: %w", err)
	}
	now := time.Now()
	return &cert{&x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Minute), // clocks differ
		NotAfter:     now.Add(valid),
	}, key}, nil
}

// sign has an authority sign a certificate.
func (c *cert) sign(authority *cert) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, c.template, authority.template, &c.key.PublicKey, authority.key)
	if err != nil {
		return nil, fmt.Errorf("borders: sign a certificate: %w", err)
	}
	return der, nil
}
