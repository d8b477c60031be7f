package config

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/latchkey-id/latchkey/identity"
)

// Load reads the configuration of a folder, getenv over the file. A folder
// without one is an error that is fs.ErrNotExist. What is wrong with it comes
// as [Problems], with as much as could be read, so that [Config.Validate] can
// say the rest.
func Load(dir string, getenv func(string) string) (Config, error) {
	text, err := os.ReadFile(filepath.Join(dir, File))
	if err != nil {
		return Config{dir: dir, keys: getenv("LATCHKEY_KEYS")}, fmt.Errorf("config: %w", err)
	}
	return Parse(dir, string(text), getenv)
}

// Parse is Load of a file that has this text, or will have it.
func Parse(dir, text string, getenv func(string) string) (Config, error) {
	c := Config{dir: dir, keys: getenv("LATCHKEY_KEYS")}
	problems := c.read(text)
	problems = append(problems, c.environment(getenv)...)
	return c.filled(), problems.err()
}

// FromEnvironment is the configuration of a folder without a file, for init.
func FromEnvironment(dir string, getenv func(string) string) (Config, error) {
	c := Config{dir: dir, keys: getenv("LATCHKEY_KEYS")}
	problems := c.environment(getenv)
	return c.filled(), problems.err()
}

// read takes over what a file says.
func (c *Config) read(text string) Problems {
	var written map[string]any
	if _, err := toml.Decode(text, &written); err != nil {
		if wrong, ok := errors.AsType[toml.ParseError](err); ok {
			return Problems{{Line: wrong.Position.Line, Text: wrong.Message}}
		}
		return Problems{{Text: err.Error()}}
	}
	var problems Problems
	settings := maps.Collect(c.settings())
	known := slices.Sorted(maps.Keys(settings))
	for key, value := range flat("", written) {
		line := lineOf(text, key)
		setting, ok := settings[key]
		switch {
		case !ok:
			problem := Problem{Key: key, Line: line, Text: "is not known"}
			if near := identity.Nearest(key, known); near != "" {
				problem.Text += "; did you mean " + near + "?"
			}
			problems = append(problems, problem)
		case !set(setting, value):
			problems = append(problems, Problem{Key: key, Line: line, Text: "must be " + kindOf(setting)})
		}
	}
	return problems
}

// environment takes over what the environment says.
func (c *Config) environment(getenv func(string) string) Problems {
	var problems Problems
	for key, setting := range c.settings() {
		name := "LATCHKEY_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		text := getenv(name)
		if text == "" {
			continue
		}
		var value any = text
		switch setting.Kind() {
		case reflect.Int64:
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				value = n
			}
		case reflect.Slice:
			var items []any
			for item := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' }) {
				items = append(items, item)
			}
			value = items
		}
		if !set(setting, value) {
			problems = append(problems, Problem{Key: name, Text: "must be " + kindOf(setting)})
		}
	}
	return problems
}

// settings yields every key and the field it sets.
func (c *Config) settings() iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		var walk func(prefix string, v reflect.Value) bool
		walk = func(prefix string, v reflect.Value) bool {
			for field, value := range v.Fields() {
				name := field.Tag.Get("toml")
				switch {
				case name == "":
				case value.Kind() == reflect.Struct:
					if !walk(prefix+name+".", value) {
						return false
					}
				case !yield(prefix+name, value):
					return false
				}
			}
			return true
		}
		walk("", reflect.ValueOf(c).Elem())
	}
}

// flat yields the keys of a TOML table, those of its tables with a dot, in
// order.
func flat(prefix string, table map[string]any) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, name := range slices.Sorted(maps.Keys(table)) {
			if inner, ok := table[name].(map[string]any); ok {
				for key, value := range flat(prefix+name+".", inner) {
					if !yield(key, value) {
						return
					}
				}
				continue
			}
			if !yield(prefix+name, table[name]) {
				return
			}
		}
	}
}

// set sets a field, and reports false if the value is of another kind.
func set(field reflect.Value, value any) bool {
	if items, ok := value.([]any); ok && field.Kind() == reflect.Slice {
		var texts []string
		for _, item := range items {
			text, ok := item.(string)
			if !ok {
				return false
			}
			texts = append(texts, text)
		}
		field.Set(reflect.ValueOf(texts))
		return true
	}
	v := reflect.ValueOf(value)
	if v.Type() != field.Type() {
		return false
	}
	field.Set(v)
	return true
}

func kindOf(field reflect.Value) string {
	switch field.Kind() {
	case reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "a list of texts in brackets"
	}
	return "a text in quotes"
}

// lineOf finds the line on which a key is set. It looks only for the ways a
// person writes one, a table's header and "key = value", and is 0 otherwise.
func lineOf(text, key string) int {
	table := ""
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if header, ok := strings.CutPrefix(line, "["); ok {
			header, _, _ = strings.Cut(header, "]")
			table = strings.Trim(header, " []") + "."
			continue
		}
		name, _, assigned := strings.Cut(line, "=")
		if assigned && table+strings.Trim(name, " \t\"'") == key {
			return i + 1
		}
	}
	return 0
}
