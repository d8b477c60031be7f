package config

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// An Environment is what os.Environ returns: NAME=value.
type Environment []string

// Get returns the value of a variable; empty where it is not set.
func (e Environment) Get(name string) string {
	for _, entry := range e {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// ours is what all our variables begin with.
const ours = "LATCHKEY_"

// Variable is the environment variable of a key: mail.host has
// LATCHKEY_MAIL_HOST.
func Variable(key string) string {
	return ours + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// elsewhere are variables that the configuration is not asked for.
var elsewhere = []string{"LATCHKEY_DIR", "LATCHKEY_TENANT", "LATCHKEY_PHONE_DIR"}

// injected are the variables Kubernetes sets in every container beside a
// service called latchkey.
var injected = regexp.MustCompile(`^LATCHKEY_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// environment takes over what the environment says. A variable set to nothing
// is one that is not set.
func (c *Config) environment(env Environment) Problems {
	var problems Problems
	settings := make(map[string]reflect.Value)
	for key, setting := range c.settings() {
		settings[Variable(key)] = setting
	}
	settings[Variable("keys")] = reflect.ValueOf(&c.keys).Elem()
	known := slices.Concat(slices.Collect(maps.Keys(settings)), elsewhere)
	for _, entry := range slices.Sorted(slices.Values(env)) {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, ours) || text == "" || slices.Contains(elsewhere, name) || injected.MatchString(name) {
			continue
		}
		setting, ok := settings[name]
		if file, isFile := strings.CutSuffix(name, "_FILE"); !ok && isFile {
			if setting, ok = settings[file]; ok {
				content, err := os.ReadFile(c.Path(text))
				if err != nil {
					problems = append(problems, Problem{Key: name, Text: "cannot be used: " + err.Error()})
					continue
				}
				if other := env.Get(file); other != "" {
					problems = append(problems, Problem{Key: name, Text: "and " + file + " exclude one another"})
				}
				text = strings.TrimRight(string(content), "\r\n")
			}
		}
		switch {
		case !ok:
			near := name + "_FILE" // who writes a secret where its file belongs
			if _, isKey := settings[near]; !isKey {
				near = identity.Nearest(name, known)
			}
			problems = append(problems, unknown(name, 0, near))
		case !set(setting, typed(setting, text)):
			problems = append(problems, Problem{Key: name, Text: "must be " + kindOf(setting)})
		default:
			c.variables = append(c.variables, name)
		}
	}
	return problems
}

// typed is a variable's text as the type of a setting; a list is parted by
// commas or spaces.
func typed(setting reflect.Value, text string) any {
	switch setting.Kind() {
	case reflect.Int64:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case reflect.Slice:
		var items []any
		for item := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' }) {
			items = append(items, item)
		}
		return items
	}
	return text
}
