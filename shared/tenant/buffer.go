package tenant

import "unsafe"

// Buffer is memory for secrets, which its owner overwrites when they are no longer needed. The
// strings in it are views: that they change then is against Go's rules, so whoever took one
// copies it (strings.Clone), or is done with it before. The runtime does not move the memory,
// so nothing of it lies anywhere else. It belongs to one goroutine.
type Buffer struct{ bytes []byte }

// NewBuffer makes a buffer for so many bytes. It does not grow: that would leave a copy.
func NewBuffer(size int) *Buffer { return &Buffer{make([]byte, 0, size)} }

// Add takes in what write appends, and returns it. It panics if there is no room.
func (b *Buffer) Add(write func([]byte) []byte) string {
	from := len(b.bytes)
	all := write(b.bytes)
	if cap(all) != cap(b.bytes) {
		panic("tenant: a buffer for secrets is too small")
	}
	b.bytes = all
	added := all[from:]
	return unsafe.String(unsafe.SliceData(added), len(added))
}

// Wipe overwrites all with zeros. Wiping twice, or nothing, is harmless.
func (b *Buffer) Wipe() {
	if b != nil {
		clear(b.bytes)
	}
}

// NewCredentials copies credentials into a buffer of their own, which [Credentials.Wipe]
// overwrites. What they were copied from stays its owner's to wipe.
func NewCredentials(keyID, secret, oauth, account []byte) Credentials {
	b := NewBuffer(len(keyID) + len(secret) + len(oauth) + len(account))
	add := func(part []byte) string {
		return b.Add(func(to []byte) []byte { return append(to, part...) })
	}
	return Credentials{KeyID: add(keyID), Secret: add(secret), OAuth: add(oauth), Account: add(account), buffer: b}
}

// Own is a copy of credentials in a buffer of its own.
func (c Credentials) Own() Credentials {
	read := func(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
	own := NewCredentials(read(c.KeyID), read(c.Secret), read(c.OAuth), read(c.Account))
	own.Broker = c.Broker
	return own
}

// Wipe ends credentials: their buffer is overwritten with zeros, under every copy of the
// value. Those of a tenants file, or written down in a program, have none, and stay. Wiping
// twice is harmless.
func (c *Credentials) Wipe() {
	c.buffer.Wipe()
	*c = Credentials{}
}
