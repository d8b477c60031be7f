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

// Get returns the value of a variable, or "" if it is not set.
func (e Environment) Get(name string) string {
	for _, entry := range e {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// variablePrefix is the prefix of all variables.
const variablePrefix = "LATCHKEY_"

// Variable returns the environment variable of a key: LATCHKEY_MAIL_HOST for mail.host.
func Variable(key string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// otherVariables are variables that are not part of the configuration.
var otherVariables = []string{"LATCHKEY_DIR", "LATCHKEY_TENANT", "LATCHKEY_PHONE_DIR"}

// kubernetesVariables are variables that Kubernetes sets in every container if there is a service
// named latchkey.
var kubernetesVariables = regexp.MustCompile(`^LATCHKEY_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// readEnvironment sets the fields that environment variables name. An empty variable counts as
// not set.
func (c *Config) readEnvironment(env Environment) Problems {
	var problems Problems
	settings := make(map[string]reflect.Value)
	for key, setting := range c.settings() {
		settings[Variable(key)] = setting
	}
	settings[Variable("keys")] = reflect.ValueOf(&c.keys).Elem()
	known := slices.Concat(slices.Collect(maps.Keys(settings)), otherVariables)
	for _, entry := range slices.Sorted(slices.Values(env)) {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, variablePrefix) || text == "" || slices.Contains(otherVariables, name) || kubernetesVariables.MatchString(name) {
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
			near := name + "_FILE" // the value of a secret was given instead of its file
			if _, isKey := settings[near]; !isKey {
				near = identity.Nearest(name, known)
			}
			problems = append(problems, unknown(name, 0, near))
		case !set(setting, parseVariable(setting, text)):
			problems = append(problems, Problem{Key: name, Text: "must be " + kindOf(setting)})
		default:
			c.variables = append(c.variables, name)
		}
	}
	return problems
}

// parseVariable converts a variable's text to the type of a setting. The items of a list are
// separated by commas or spaces.
func parseVariable(setting reflect.Value, text string) any {
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
