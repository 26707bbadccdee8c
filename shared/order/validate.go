package order

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of labels.
const (
	MaxLabels     = 16
	MaxLabelKey   = 64  // bytes
	MaxLabelValue = 256 // bytes
)

// Validate says everything that is wrong with an intent, each as a [*FieldError] within
// [FieldErrors]; nil if nothing is. It refuses what the broker is certain to refuse;
// where its documentation leaves room, the broker is the judge.
func (in *Intent) Validate() error {
	var p problems
	p.check(in.Version == 0 || in.Version == Version, "v", "%d is not known; this is version %d", in.Version, Version)
	p.add(ValidID(in.ID))
	p.check(!in.ExpiresAt.IsZero(), "expires_at", "is required")
	p.check(in.ExpiresAt.Year() >= 1 && in.ExpiresAt.Year() <= 9999, "expires_at", "is no year of four digits")
	if in.RetryOf != "" {
		p.add(word("retry_of", in.RetryOf, MaxID))
		p.check(in.RetryOf != in.ID, "retry_of", "is the intent itself")
	}
	p.labels(in.Labels)
	p.shape(in)
	if in.Order == nil || !p.computable(in.Order) {
		return p.err()
	}
	switch in.Kind {
	case KindOrder:
		p.order(in.Order)
	case KindReplace:
		p.change(in.Order)
	case KindClosePosition:
		p.closing(in.Order)
	case KindCancel, KindCancelAll:
	}
	return p.err()
}

// shape checks which parts an intent of its kind has.
func (p *problems) shape(in *Intent) {
	var wantsOrder, wantsTarget bool
	switch in.Kind {
	case KindOrder, KindClosePosition:
		wantsOrder = true
	case KindReplace:
		wantsOrder, wantsTarget = true, true
	case KindCancel:
		wantsTarget = true
	case KindCancelAll:
	default:
		p.check(false, "kind", "%q is not order, replace, cancel, cancel_all or close_position", clipped(string(in.Kind)))
		return
	}
	p.check(in.Order != nil || !wantsOrder, "order", "is required with kind %s", in.Kind)
	p.check(in.Order == nil || wantsOrder, "order", "has no place in kind %s", in.Kind)
	switch {
	case !wantsTarget:
		p.check(in.Target == "", "target", "has no place in kind %s", in.Kind)
	case in.Target == "":
		p.check(false, "target", "is required with kind %s: the id of the intent to %s", in.Kind, in.Kind)
	default:
		p.add(word("target", in.Target, MaxID))
		p.check(in.Target != in.ID, "target", "is the intent itself")
	}
}

// computable says whether every number of an order is within the bounds of the wire, and
// so can be computed with.
func (p *problems) computable(o *Order) bool {
	before := len(p.all)
	for field, d := range o.decimals {
		if err := bounded(*d); err != nil {
			p.check(false, "order."+field, "%s", err)
		}
	}
	return len(p.all) == before
}

func (p *problems) labels(labels map[string]string) {
	if len(labels) > MaxLabels {
		p.check(false, "labels", "has %d entries, more than %d", len(labels), MaxLabels)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		value := labels[key]
		p.check(key != "" && len(key) <= MaxLabelKey && printable(key), "labels", "key %q is empty, longer than %d bytes, or not printable", clipped(key), MaxLabelKey)
		p.check(len(value) <= MaxLabelValue && printable(value), "labels", "the value of %q is longer than %d bytes, or not printable", clipped(key), MaxLabelValue)
	}
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// clipped keeps what a stranger wrote short enough for an error.
func clipped(s string) string {
	const most = 32
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// problems collects what is wrong with a message.
type problems struct{ all []error }

func (p *problems) add(err error) {
	if err != nil {
		p.all = append(p.all, err)
	}
}

// check notes a problem of a field unless ok.
func (p *problems) check(ok bool, field, format string, args ...any) {
	if !ok {
		p.all = append(p.all, &FieldError{field, fmt.Sprintf(format, args...)})
	}
}

func (p *problems) err() error {
	if len(p.all) == 0 {
		return nil
	}
	return FieldErrors(p.all)
}

// FieldErrors are several things wrong with one message.
type FieldErrors []error

func (e FieldErrors) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap lets errors.As find a [*FieldError].
func (e FieldErrors) Unwrap() []error { return e }
