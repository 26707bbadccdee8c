package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// Kind is what a key of the bucket holds.
type Kind string

// The kinds, and the keys that they have.
const (
	// KindTenant: tenant.<name>, a [tenant.Settings].
	KindTenant Kind = "tenant"
	// KindLimits: limits.all or limits.label.<key>.<value>, a [tenant.Limits]. A tenant's own are
	// among its settings.
	KindLimits Kind = "limits"
	// KindSwitch: switch.all, switch.label.<key>.<value> or switch.tenant.<name>, a [Throw].
	KindSwitch Kind = "switch"
	// KindCredential: credential.<tenant>, a [Credential].
	KindCredential Kind = "credential"
	// KindPool: pool.<name>, a [tenant.Pool].
	KindPool Kind = "pool"
	// KindRecipients: recipients, a [RecipientList].
	KindRecipients Kind = "recipients"
	// KindOperators: operators, an [OperatorList].
	KindOperators Kind = "operators"
)

// Kinds are all of them.
var Kinds = []Kind{KindTenant, KindLimits, KindSwitch, KindCredential, KindPool, KindRecipients, KindOperators}

// Scope is on whom limits or a switch lie. The zero value is everybody.
type Scope struct {
	// Tenant is a tenant, if it is one.
	Tenant string
	// Label and Value are a group, if it is one: the tenants that have the label.
	Label, Value string
}

// All is everybody.
var All Scope

// OfTenant is one tenant.
func OfTenant(name string) Scope { return Scope{Tenant: name} }

// OfLabel is the tenants that have a label.
func OfLabel(key, value string) Scope { return Scope{Label: key, Value: value} }

// Scopes are those that a tenant with some settings is in, but for itself: everybody, and its
// groups. Of one without settings that is everybody.
func Scopes(s *tenant.Settings) []Scope {
	all := []Scope{All}
	if s != nil {
		for _, label := range slices.Sorted(maps.Keys(s.Labels)) {
			all = append(all, OfLabel(label, s.Labels[label]))
		}
	}
	return all
}

// String is the scope as keys and a [tenant.Switch] have it: all, label.<key>.<value> or
// tenant.<name>.
func (s Scope) String() string {
	switch {
	case s.Tenant != "":
		return "tenant." + s.Tenant
	case s.Label != "":
		return "label." + s.Label + "." + s.Value
	}
	return "all"
}

// ParseScope reads a scope.
func ParseScope(text string) (Scope, error) {
	class, rest, _ := strings.Cut(text, ".")
	switch class {
	case "all":
		if text == "all" {
			return All, nil
		}
	case "tenant":
		if err := order.ValidTenant(rest); err != nil {
			return Scope{}, fmt.Errorf("registry: scope: %w", err)
		}
		return OfTenant(rest), nil
	case "label":
		key, value, _ := strings.Cut(rest, ".")
		for _, word := range []string{key, value} {
			if err := tenant.ValidWord(word); err != nil {
				return Scope{}, fmt.Errorf("registry: scope: label %.100q: a key or a value %w", rest, err)
			}
		}
		return OfLabel(key, value), nil
	}
	return Scope{}, fmt.Errorf("registry: scope: %.100q is not all, label.<key>.<value> or tenant.<name>", text)
}

// Key is a key of the bucket.
type Key struct {
	Kind Kind
	// Scope is of limits and of a switch.
	Scope Scope
	// Name is a tenant's, of [KindTenant] and [KindCredential], or a pool's.
	Name string
}

// The keys of which there is one.
var (
	RecipientsKey = Key{Kind: KindRecipients}
	OperatorsKey  = Key{Kind: KindOperators}
)

// TenantKey is that of a tenant's settings.
func TenantKey(name string) Key { return Key{Kind: KindTenant, Name: name} }

// CredentialKey is that of which keys a tenant has.
func CredentialKey(tenant string) Key { return Key{Kind: KindCredential, Name: tenant} }

// PoolKey is that of a rate pool.
func PoolKey(name string) Key { return Key{Kind: KindPool, Name: name} }

// LimitsKey is that of the limits of everybody or of a group.
func LimitsKey(s Scope) Key { return Key{Kind: KindLimits, Scope: s} }

// SwitchKey is that of the switch of everybody, a group or a tenant.
func SwitchKey(s Scope) Key { return Key{Kind: KindSwitch, Scope: s} }

// String is the key as it stands in the bucket.
func (k Key) String() string {
	switch k.Kind {
	case KindTenant, KindCredential, KindPool:
		return string(k.Kind) + "." + k.Name
	case KindLimits, KindSwitch:
		return string(k.Kind) + "." + k.Scope.String()
	case KindRecipients, KindOperators:
	}
	return string(k.Kind)
}

// ParseKey reads a key.
func ParseKey(text string) (Key, error) {
	kind, rest, _ := strings.Cut(text, ".")
	k := Key{Kind: Kind(kind)}
	var err error
	switch k.Kind {
	case KindTenant, KindCredential:
		k.Name, err = rest, order.ValidTenant(rest)
	case KindPool:
		k.Name, err = rest, tenant.ValidWord(rest)
	case KindLimits, KindSwitch:
		k.Scope, err = ParseScope(rest)
		if err == nil && k.Kind == KindLimits && k.Scope.Tenant != "" {
			err = fmt.Errorf("a tenant's limits are among its settings, %s.%s", KindTenant, k.Scope.Tenant)
		}
	case KindRecipients, KindOperators:
	default:
		err = fmt.Errorf("%q is none of %v", clipped(kind), Kinds)
	}
	if err == nil && k.String() != text {
		err = fmt.Errorf("it is not %s", k)
	}
	if err != nil {
		return Key{}, fmt.Errorf("registry: key %.100q: %w", text, err)
	}
	return k, nil
}

// Tenant is whom a key is about, if it is one tenant; else empty.
func (k Key) Tenant() string {
	switch k.Kind {
	case KindTenant, KindCredential:
		return k.Name
	case KindSwitch:
		return k.Scope.Tenant
	case KindLimits, KindPool, KindRecipients, KindOperators:
	}
	return ""
}
