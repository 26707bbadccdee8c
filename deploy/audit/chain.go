package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// Chain is a hash chain over the messages of a shard. Each link is the SHA-256 of the link
// before it and of a message: its sequence number, its time in nanoseconds since 1970, and the
// lengths and bytes of its class, its tenant and its body; numbers have eight bytes, the highest
// first. The link before the first is zero.
type Chain struct {
	link [sha256.Size]byte
	buf  []byte
}

// Add adds a message.
func (c *Chain) Add(e *ledger.Entry) {
	b := c.buf[:0]
	b = append(b, c.link[:]...)
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Time.UnixNano()))
	for _, text := range []string{e.Class.String(), e.Tenant} {
		b = append(binary.BigEndian.AppendUint64(b, uint64(len(text))), text...)
	}
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(e.Data))), e.Data...)
	c.link, c.buf = sha256.Sum256(b), b
}

// String is the last link.
func (c *Chain) String() string { return hex.EncodeToString(c.link[:]) }
