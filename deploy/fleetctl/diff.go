package fleetctl

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// Same says that two values of the registry are written alike.
func Same(a, b any) bool {
	one, err := json.Marshal(a, json.Deterministic(true))
	if err != nil {
		return false
	}
	other, err := json.Marshal(b, json.Deterministic(true))
	return err == nil && bytes.Equal(one, other)
}

// Difference is one field of a key of the registry that a change changed. Its names in JSON
// are part of the contract.
type Difference struct {
	Field  string `json:"field"`
	Before string `json:"before,omitzero"` // empty: it was not there
	After  string `json:"after,omitzero"`  // empty: it is no longer there
}

func (d Difference) String() string {
	switch {
	case d.Before == "":
		return d.Field + " is " + d.After
	case d.After == "":
		return d.Field + " is gone (was " + d.Before + ")"
	}
	return d.Field + " from " + d.Before + " to " + d.After
}

// Differences are the fields in which two values of the registry differ, either of which may be
// nil.
func Differences(before, after any) []Difference {
	return apart(fieldsOf(before), fieldsOf(after))
}

// differences are the fields in which two JSON objects differ, either of which may be empty.
func differences(before, after jsontext.Value) []Difference {
	old, now := make(map[string]string), make(map[string]string)
	flatten(old, "", before)
	flatten(now, "", after)
	return apart(old, now)
}

func apart(old, now map[string]string) []Difference {
	all := maps.Clone(old)
	maps.Copy(all, now)
	var found []Difference
	for _, field := range slices.Sorted(maps.Keys(all)) {
		if old[field] != now[field] {
			found = append(found, Difference{field, old[field], now[field]})
		}
	}
	return found
}

// Field is one field of a value of the registry.
type Field struct{ Name, Value string }

// Fields are those that are set, in order, by their names in JSON; those within others are a.b.
func Fields(v any) []Field {
	fields := fieldsOf(v)
	all := make([]Field, 0, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		all = append(all, Field{name, fields[name]})
	}
	return all
}

func fieldsOf(v any) map[string]string {
	fields := make(map[string]string)
	if data, err := json.Marshal(v); err == nil {
		flatten(fields, "", data)
	}
	return fields
}

// inWords is a list of hours as the flag of limits has them; false if it is of something else.
func inWords(list jsontext.Value) (string, bool) {
	var all []tenant.Hours
	if json.Unmarshal(list, &all, json.RejectUnknownMembers(true)) != nil {
		return "", false
	}
	words := make([]string, len(all))
	for i, h := range all {
		words[i] = fmt.Sprintf("%s %s %s-%s", h.Zone, h.Days, h.From, h.Until)
	}
	return strings.Join(words, ", "), true
}

// flatten adds the fields of a JSON value. A list is one of them, unless it is of objects.
func flatten(into map[string]string, name string, v jsontext.Value) {
	inner := func(key string) string {
		if name == "" {
			return key
		}
		return name + "." + key
	}
	switch v.Kind() {
	case '{':
		var members map[string]jsontext.Value
		if json.Unmarshal(v, &members) == nil {
			for key, member := range members {
				flatten(into, inner(key), member)
			}
		}
	case '[':
		var elements []jsontext.Value
		if json.Unmarshal(v, &elements) == nil && len(elements) > 0 && elements[0].Kind() == '{' {
			if hours, ok := inWords(v); ok {
				into[name] = hours
				return
			}
			for i, element := range elements {
				flatten(into, inner(strconv.Itoa(i)), element)
			}
			return
		}
		into[name] = string(v)
	case '"':
		var text string
		if json.Unmarshal(v, &text) == nil {
			into[name] = text
		}
	default:
		if len(v) > 0 && v.Kind() != 'n' {
			into[name] = string(v)
		}
	}
}
