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
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Load reads the configuration of a folder and of the environment, which takes precedence. A
// missing file is an error that wraps fs.ErrNotExist. Other errors are [Problems] and come with
// everything that could be read, so that [Config.Validate] can report further problems.
func Load(dir string, env Environment) (Config, error) {
	text, err := os.ReadFile(filepath.Join(dir, File))
	if err != nil {
		return Config{dir: dir}, fmt.Errorf("config: %w", err)
	}
	return Parse(dir, string(text), env)
}

// Parse is like Load, with the text of the file.
func Parse(dir, text string, env Environment) (Config, error) {
	c := Config{dir: dir}
	problems := c.read(text)
	problems = append(problems, c.readEnvironment(env)...)
	return c.withDefaults(), problems.err()
}

// FromEnvironment returns the configuration of a folder without a file, for init.
func FromEnvironment(dir string, env Environment) (Config, error) {
	c := Config{dir: dir}
	problems := c.readEnvironment(env)
	return c.withDefaults(), problems.err()
}

// read sets the fields that a file names.
func (c *Config) read(text string) Problems {
	var written map[string]any
	if _, err := toml.Decode(text, &written); err != nil {
		if wrong, ok := errors.AsType[toml.ParseError](err); ok {
			return Problems{{Line: wrong.Position.Line, Text: wrong.Message}}
		}
		return Problems{{Text: err.Error()}}
	}
	c.lines = make(map[string]int)
	var problems Problems
	settings := maps.Collect(c.settings())
	known := slices.Sorted(maps.Keys(settings))
	for key, value := range flatten("", written) {
		line := lineOf(text, key)
		c.lines[key] = line
		setting, ok := settings[key]
		switch {
		case !ok:
			problems = append(problems, unknown(key, line, identity.Nearest(key, known)))
		case !set(setting, value):
			problems = append(problems, Problem{Key: key, Line: line, Text: "must be " + kindOf(setting)})
		}
	}
	return problems
}

// settings yields each key and the field that it sets.
func (c *Config) settings() iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		var yieldFields func(prefix string, v reflect.Value) bool
		yieldFields = func(prefix string, v reflect.Value) bool {
			for field, value := range v.Fields() {
				name := field.Tag.Get("toml")
				switch {
				case name == "":
				case value.Kind() == reflect.Struct:
					if !yieldFields(prefix+name+".", value) {
						return false
					}
				case !yield(prefix+name, value):
					return false
				}
			}
			return true
		}
		yieldFields("", reflect.ValueOf(c).Elem())
	}
}

// flatten yields the keys of a TOML table in order. Keys of inner tables have a dot.
func flatten(prefix string, table map[string]any) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, name := range slices.Sorted(maps.Keys(table)) {
			if inner, ok := table[name].(map[string]any); ok {
				for key, value := range flatten(prefix+name+".", inner) {
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

// set sets a field. It returns false if the value has another type.
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

// lineOf returns the line on which a key is set. It finds the usual forms, a table's header and
// "key = value", and returns 0 otherwise.
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
