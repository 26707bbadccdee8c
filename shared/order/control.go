package order

import "time"

// Verb is what an operator wants done to a tenant.
type Verb string

// The verbs.
const (
	// Release lets a tenant go on that is held because an intent of its failed.
	Release Verb = "release"
	// Drop settles an intent that failed: somebody has looked, and it is not to be driven
	// again. It changes nothing for the fleet.
	Drop Verb = "drop"
)

// Bounds of a [Control], in bytes.
const (
	MaxControlBy     = 128
	MaxControlReason = 512
)

// Control is an operator's word on a tenant. It stands on the ledger, so that every owner
// of the tenant's shard acts on it alike, and everybody can see who said it and why.
type Control struct {
	Version int  `json:"v,omitzero"`
	Verb    Verb `json:"verb"`
	// IntentID says which intent is dropped; empty with every other verb.
	IntentID string `json:"intent_id,omitzero"`
	// By is who said it, as the operator's name.
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Validate says everything that is wrong with a control, each as a [*FieldError] within
// [FieldErrors]; nil if nothing is.
func (c *Control) Validate() error {
	var p problems
	p.check(c.Version == 0 || c.Version == Version, "v", "%d is not known; this is version %d", c.Version, Version)
	switch c.Verb {
	case Release:
		p.check(c.IntentID == "", "intent_id", "belongs to %s", Drop)
	case Drop:
		p.add(word("intent_id", c.IntentID, MaxID))
	default:
		p.check(false, "verb", "%q is not %s or %s", clipped(string(c.Verb)), Release, Drop)
	}
	p.text("by", c.By, MaxControlBy)
	p.text("reason", c.Reason, MaxControlReason)
	p.check(!c.At.IsZero() && c.At.Year() >= 1 && c.At.Year() <= 9999, "at", "is required, with a year of four digits")
	return p.err()
}

// text checks words of a person.
func (p *problems) text(field, s string, most int) {
	p.check(s != "", field, "is required")
	p.check(len(s) <= most, field, "has %d bytes, more than %d", len(s), most)
	p.check(printable(s), field, "is not printable text")
}
