package test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/shared/order"
)

// hunt looks for secrets, in every form in which one may come to be written down.
type hunt struct{ prey []prey }

// prey is a form of a secret.
type prey struct {
	secret, form string
	text         []byte
}

// add hunts for a secret, by the name that findings give it.
func (h *hunt) add(name, secret string) {
	known := make(map[string]bool)
	form := func(form, text string) {
		if len(text) >= 6 && !known[text] { // less is found by chance
			known[text] = true
			h.prey = append(h.prey, prey{name, form, []byte(text)})
		}
	}
	form("plain", secret)
	form("hex", hex.EncodeToString([]byte(secret)))
	form("hex, upper case", strings.ToUpper(hex.EncodeToString([]byte(secret))))
	form("query", url.QueryEscape(secret))
	form("path", url.PathEscape(secret))
	quoted, _ := json.Marshal(secret)
	form("JSON", strings.Trim(string(quoted), `"`))
	form("Go", strings.Trim(strconv.Quote(secret), `"`))
	form("bytes", strings.Trim(fmt.Sprint([]byte(secret)), "[]"))
	for name, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		for shift := range 3 { // wherever it stands in what was encoded
			text := enc.EncodeToString(slices.Concat(make([]byte, shift), []byte(secret)))
			skip := []int{0, 2, 3}[shift]        // characters that hold something of what stands before
			end := (len(secret) + shift) / 3 * 4 // and behind
			if end > skip {
				form(name, text[skip:end])
			}
		}
	}
}

// find is what is found in a text, a line each.
func (h *hunt) find(where string, text []byte) (found []string) {
	for _, p := range h.prey {
		if bytes.Contains(text, p.text) {
			found = append(found, fmt.Sprintf("%s: %s (%s)", where, p.secret, p.form))
		}
	}
	return found
}

// TestHunt: a planted secret is found in each form, at any place in what was encoded.
func TestHunt(t *testing.T) {
	const secret = `Ab+/=%&"\ZyXw0123`
	h := new(hunt)
	h.add("it", secret)
	in := func(before, behind string) string { return before + secret + behind }
	for name, text := range map[string]string{
		"plain":      in("x", "y"),
		"hex":        hex.EncodeToString([]byte(in("x", "y"))),
		"HEX":        fmt.Sprintf("%X", in("x", "y")),
		"query":      url.Values{"a": {in("x", "y")}}.Encode(),
		"path":       url.PathEscape(in("x", "y")),
		"JSON":       func() string { b, _ := json.Marshal(map[string]string{"a": in("x", "y")}); return string(b) }(),
		"Go":         fmt.Sprintf("%q", in("x", "y")),
		"bytes":      fmt.Sprint([]byte(in("x", "y"))),
		"base64 0":   base64.StdEncoding.EncodeToString([]byte(in("", ""))),
		"base64 1":   base64.StdEncoding.EncodeToString([]byte(in("k", "y"))),
		"base64 2":   base64.StdEncoding.EncodeToString([]byte(in("k:", "yz"))),
		"base64 3":   base64.RawURLEncoding.EncodeToString([]byte(in("key", "xyz"))),
		"an error's": fmt.Errorf("wrapped: %w", fmt.Errorf("HTTP 401: %s", in("", ""))).Error(),
	} {
		if len(h.find(name, []byte(text))) == 0 {
			t.Errorf("%s: it is not found in %s", name, text)
		}
	}
	if found := h.find("elsewhere", []byte(order.NewID()+"Ab+/ ZyXw0123")); len(found) > 0 {
		t.Errorf("found where it is not: %v", found)
	}
}
