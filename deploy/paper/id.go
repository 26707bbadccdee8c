package paper

import (
	"math/rand/v2"
)

const hexDigits = "0123456789abcdef"

// uuid writes two numbers as a UUID of version 4.
func uuid(hi, lo uint64) string {
	hi = hi&^0xf000 | 0x4000
	lo = lo&^(3<<62) | 2<<62
	var b [36]byte
	n := 0
	for i := range 32 {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			b[n] = '-'
			n++
		}
		word, shift := hi, 60-4*i
		if i >= 16 {
			word, shift = lo, 60-4*(i-16)
		}
		b[n] = hexDigits[word>>shift&0xf]
		n++
	}
	return string(b[:])
}

// stableID is a UUID that depends on its words alone.
func stableID(words ...string) string {
	h := hash(words...)
	r := rand.NewPCG(h, ^h)
	return uuid(r.Uint64(), r.Uint64())
}

// requestID is the n-th X-Request-ID of a broker with the seed.
func requestID(seed, n uint64) string {
	r := rand.NewPCG(seed, n)
	hi, lo := r.Uint64(), r.Uint64()
	var b [32]byte
	for i := range 16 {
		b[i] = hexDigits[hi>>(60-4*i)&0xf]
		b[16+i] = hexDigits[lo>>(60-4*i)&0xf]
	}
	return string(b[:])
}
