package policy

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// shape compares JSON, known to be well-formed, with the type it is meant for
// and notes what does not fit, all of it and by name: encoding/json stops at
// the first unknown field, takes names in any case, and lets a field that is
// there twice overwrite itself.
func (ps *Problems) shape(path string, t reflect.Type, raw json.RawMessage) {
	kind := t.Kind()
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		kind = reflect.String
	}
	switch kind {
	case reflect.Struct:
		fields := fieldsOf(t)
		for name, value := range ps.members(path, raw) {
			if field, ok := fields[name]; ok {
				ps.shape(join(path, name), field, value)
			} else if near := identity.Nearest(name, slices.Sorted(maps.Keys(fields))); near != "" {
				ps.add(join(path, name), "nearest", "nearest", near)
			} else {
				ps.add(join(path, name), "unknown")
			}
		}
	case reflect.Map:
		for name, value := range ps.members(path, raw) {
			ps.shape(join(path, name), t.Elem(), value)
		}
	case reflect.Slice:
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			ps.add(path, "list")
			return
		}
		for i, item := range items {
			ps.shape(fmt.Sprintf("%s[%d]", path, i), t.Elem(), item)
		}
	default:
		if bytes.Equal(raw, []byte("null")) || json.Unmarshal(raw, reflect.New(t).Interface()) != nil {
			ps.leaf(path, t.Kind())
		}
	}
}

// leaf notes that a single value is not of its kind. The only struct among
// them is a network.
func (ps *Problems) leaf(path string, kind reflect.Kind) {
	switch kind {
	case reflect.Bool:
		ps.add(path, "boolean")
	case reflect.Int64:
		ps.add(path, "number")
	case reflect.Struct:
		ps.add(path, "network", "nearest", "192.0.2.0/24")
	default:
		ps.add(path, "text")
	}
}

// members yields the members of an object, and notes it if raw is none or has
// a member twice.
func (ps *Problems) members(path string, raw json.RawMessage) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		dec := json.NewDecoder(bytes.NewReader(raw))
		if start, err := dec.Token(); err != nil || start != json.Delim('{') {
			ps.add(path, "object")
			return
		}
		seen := make(map[string]bool)
		for dec.More() {
			name, err := dec.Token()
			if err != nil {
				return
			}
			var value json.RawMessage
			if dec.Decode(&value) != nil {
				return
			}
			member := name.(string) // JSON has no other names
			if seen[member] {
				ps.add(join(path, member), "twice")
			} else if !yield(member, value) {
				return
			}
			seen[member] = true
		}
	}
}

// fieldsOf returns the fields of a struct as JSON names them, those of embedded
// structs among them.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type)
	for _, f := range reflect.VisibleFields(t) {
		if !f.Anonymous {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields[name] = f.Type
		}
	}
	return fields
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
