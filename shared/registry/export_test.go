package registry

import (
	"time"

	"github.com/go-json-experiment/json"
)

// Forge is a record as whoever has a key can sign it, whether it counts or not.
func Forge(by *Signer, k Key, after uint64, body any) []byte {
	r := Record{Key: k.String(), After: after, By: by.name, At: time.Now().UTC(), Reason: "forged"}
	if body != nil {
		r.Body, _ = json.Marshal(body)
	}
	data, err := r.encode(by)
	if err != nil {
		panic(err)
	}
	return data
}

// Decode reads a record that stands behind after, with everything but who may sign it.
func Decode(k Key, after uint64, data []byte) (Record, error) {
	return decode(k, after, after+1, data)
}
