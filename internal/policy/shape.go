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

// checkShape compares well-formed JSON with the type it is decoded into and
// records everything that does not match. encoding/json alone does not suffice:
// it stops at the first unknown field, ignores the case of names, and accepts a
// field that occurs twice.
func (ps *Problems) checkShape(path string, t reflect.Type, raw json.RawMessage) {
	kind := t.Kind()
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		kind = reflect.String
	}
	switch kind {
	case reflect.Struct:
		fields := fieldsOf(t)
		for name, value := range ps.members(path, raw) {
			if field, ok := fields[name]; ok {
				ps.checkShape(join(path, name), field, value)
			} else if near := identity.Nearest(name, slices.Sorted(maps.Keys(fields))); near != "" {
				ps.add(join(path, name), "nearest", "nearest", near)
			} else {
				ps.add(join(path, name), "unknown")
			}
		}
	case reflect.Map:
		for name, value := range ps.members(path, raw) {
			ps.checkShape(join(path, name), t.Elem(), value)
		}
	case reflect.Slice:
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			ps.add(path, "list")
			return
		}
		for i, item := range items {
			ps.checkShape(fmt.Sprintf("%s[%d]", path, i), t.Elem(), item)
		}
	default:
		if bytes.Equal(raw, []byte("null")) || json.Unmarshal(raw, reflect.New(t).Interface()) != nil {
			ps.wrongType(path, t.Kind())
		}
	}
}

// wrongType records that a single value has the wrong type. The only struct that
// is a single value is a network.
func (ps *Problems) wrongType(path string, kind reflect.Kind) {
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

// members yields the members of an object. It records a problem if raw is not an
// object or has a member twice.
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

// fieldsOf returns the fields of a struct by their JSON names, including those of
// embedded structs.
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
