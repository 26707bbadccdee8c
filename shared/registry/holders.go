package registry

import (
	"slices"
	"strings"
)

// Holders are the tenants that have credentials, registered or not, in order.
func (r *Registry) Holders() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var names []string
	for text, e := range r.book.entries {
		name, ok := strings.CutPrefix(text, string(KindCredential)+".")
		if _, holds := e.held.(*Credential); ok && holds {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
