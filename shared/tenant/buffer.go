package tenant

import "unsafe"

// buffer is memory that holds secrets and can be overwritten. The garbage collector does not
// move it, so there is no other copy of what it holds.
type buffer struct{ bytes []byte }

// NewCredentials copies credentials into one buffer, which [Credentials.Wipe] overwrites. What
// they were copied from stays its owner's to wipe.
//
// The strings are views onto the buffer. That a string changes is against Go's rules, so it
// happens once, at the end, to the owner's knowledge: whoever took a string out of credentials
// copies it (strings.Clone) or is done with it before they are wiped.
func NewCredentials(keyID, secret, oauth, account []byte) Credentials {
	b := &buffer{make([]byte, 0, len(keyID)+len(secret)+len(oauth)+len(account))} // of the final size: growing would leave a copy
	view := func(part []byte) string {
		from := len(b.bytes)
		b.bytes = append(b.bytes, part...)
		return unsafe.String(unsafe.SliceData(b.bytes[from:]), len(part))
	}
	return Credentials{KeyID: view(keyID), Secret: view(secret), OAuth: view(oauth), Account: view(account), buffer: b}
}

// Own is a copy of credentials in a buffer of its own.
func (c Credentials) Own() Credentials {
	bytes := func(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) } // only read
	return NewCredentials(bytes(c.KeyID), bytes(c.Secret), bytes(c.OAuth), bytes(c.Account))
}

// Wipe ends credentials: their buffer is overwritten with zeros, under every copy of the
// value. Those of a tenants file, or written down in a program, have none, and stay. Wiping
// twice is harmless.
func (c *Credentials) Wipe() {
	if c.buffer != nil {
		clear(c.buffer.bytes)
	}
	*c = Credentials{}
}
