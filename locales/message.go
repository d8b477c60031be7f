package locales

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// A message is one text in one language, in each of its plural forms.
type message struct {
	tag   language.Tag // the language it is written in
	lang  string       // tag as text, for comparisons, of which a page makes some twenty
	forms [plural.Many + 1][]piece
}

// A piece of a text is a run of words, or the name of an argument.
type piece struct {
	words string
	arg   string
}

var formNames = map[string]plural.Form{"zero": plural.Zero, "one": plural.One, "two": plural.Two,
	"few": plural.Few, "many": plural.Many, "other": plural.Other}

// parse reads a text or a set of plural forms.
func parse(tag language.Tag, value json.RawMessage) (*message, error) {
	m := &message{tag: tag, lang: tag.String()}
	var single string
	if json.Unmarshal(value, &single) == nil {
		pieces, err := split(single)
		m.forms[plural.Other] = pieces
		return m, err
	}
	var forms map[string]string
	if err := json.Unmarshal(value, &forms); err != nil {
		return nil, errors.New("neither a text nor plural forms")
	}
	for name, text := range forms {
		form, ok := formNames[name]
		if !ok {
			return nil, fmt.Errorf("%q is no plural form", name)
		}
		pieces, err := split(text)
		if err != nil {
			return nil, err
		}
		m.forms[form] = pieces
	}
	if m.forms[plural.Other] == nil {
		return nil, errors.New(`no form "other"`)
	}
	return m, nil
}

// split splits a text at its arguments.
func split(text string) ([]piece, error) {
	if text == "" {
		return nil, errors.New("empty text")
	}
	var pieces []piece
	for text != "" {
		words, rest, found := strings.Cut(text, "{")
		if words != "" {
			pieces = append(pieces, piece{words: words})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || name == "" {
			return nil, errors.New("unclosed argument")
		}
		pieces = append(pieces, piece{arg: name})
		text = after
	}
	return pieces, nil
}

// form returns the pieces of the plural form for n.
func (m *message) form(n int, counted bool) []piece {
	if counted {
		// All counts are whole numbers without fraction digits.
		if pieces := m.forms[plural.Cardinal.MatchPlural(m.tag, n, 0, 0, 0, 0)]; pieces != nil {
			return pieces
		}
	}
	return m.forms[plural.Other]
}
