package seal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/orderfleet/orderfleet/shared/tenant"
)

// The plaintext is a mark with the version, and then six parts, each a length of two bytes,
// big-endian, and so many bytes: the tenant's name, key id, secret, OAuth token, account, broker. It is
// no JSON since decoders leave copies behind.
const (
	mark     = "orderfleet-credentials/1\n"
	maxPlain = 6 << 10
)

var errPlain = errors.New("seal: the sealed credentials are of another release, or were not written by one")

// encode writes the plaintext, into memory that the caller wipes.
func encode(name string, c *tenant.Credentials) ([]byte, error) {
	parts := [...]string{name, c.KeyID, c.Secret, c.OAuth, c.Account, c.Broker}
	size := len(mark)
	for _, part := range parts {
		size += 2 + len(part)
	}
	if size > maxPlain {
		return nil, fmt.Errorf("seal: the credentials have %d bytes, more than %d", size, maxPlain)
	}
	plain := append(make([]byte, 0, size), mark...)
	for _, part := range parts {
		plain = binary.BigEndian.AppendUint16(plain, uint16(len(part)))
		plain = append(plain, part...)
	}
	return plain, nil
}

// decode reads a plaintext, which stays the caller's. No error quotes it.
func decode(plain []byte) (name string, c tenant.Credentials, err error) {
	if len(plain) < len(mark) || len(plain) > maxPlain || string(plain[:len(mark)]) != mark {
		return "", c, errPlain
	}
	rest := plain[len(mark):]
	var parts [6][]byte
	for i := range parts {
		if len(rest) < 2 {
			return "", c, errPlain
		}
		n := int(binary.BigEndian.Uint16(rest))
		if rest = rest[2:]; len(rest) < n {
			return "", c, errPlain
		}
		parts[i], rest = rest[:n], rest[n:]
	}
	if len(rest) > 0 {
		return "", c, errPlain
	}
	c = tenant.NewCredentials(parts[1], parts[2], parts[3], parts[4])
	c.Broker = string(parts[5])
	if err := c.Validate(); err != nil {
		c.Wipe()
		return "", c, fmt.Errorf("seal: what is sealed is of no use: %w", err)
	}
	return string(parts[0]), c, nil
}
