package locales

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"
)

//go:embed */*.json
var embedded embed.FS

// A Catalog holds all languages. It is immutable and safe for concurrent use.
type Catalog struct {
	tables    []*table // sorted by tag
	byTag     map[language.Tag]*table
	supported []language.Tag // in the order of the matcher: English, the default, comes first
	matcher   language.Matcher
}

// A Language is one a person can pick.
type Language struct {
	Tag  string // BCP 47
	Name string // what the language calls itself
	Dir  string // "ltr" or "rtl"
}

// A table is one language, with texts of other languages for those it lacks.
type table struct {
	tag   language.Tag
	lang  string
	dir   string
	texts map[string]*message
	json  sync.Map // results of Printer.JSON, by prefix
}

// Load reads the catalogues compiled into the program. It fails only if one of
// them is malformed.
func Load() (*Catalog, error) { return LoadFrom(embedded) }

// LoadFrom reads catalogues from other files than the program's own.
func LoadFrom(files fs.FS) (*Catalog, error) {
	own, err := read(files)
	if err != nil {
		return nil, err
	}
	english := own[language.English]
	if english == nil {
		return nil, fmt.Errorf("locales: no English")
	}
	c := &Catalog{byTag: make(map[language.Tag]*table), supported: []language.Tag{language.English}}
	for tag := range own {
		t := &table{tag: tag, lang: tag.String(), dir: direction(tag), texts: make(map[string]*message, len(english))}
		// The language itself comes last, so that its texts win.
		for _, ancestor := range slices.Backward(lineage(tag)) {
			for key, m := range own[ancestor] {
				t.texts[key] = m
			}
		}
		c.byTag[tag] = t
		c.tables = append(c.tables, t)
		if tag != language.English {
			c.supported = append(c.supported, tag)
		}
	}
	byTag := func(a, b language.Tag) int { return strings.Compare(a.String(), b.String()) }
	slices.SortFunc(c.supported[1:], byTag)
	slices.SortFunc(c.tables, func(a, b *table) int { return byTag(a.tag, b.tag) })
	c.matcher = language.NewMatcher(c.supported)
	return c, nil
}

// lineage lists the languages whose texts a language uses, itself first and
// English last.
func lineage(tag language.Tag) []language.Tag {
	var tags []language.Tag
	for ; !tag.IsRoot(); tag = tag.Parent() {
		tags = append(tags, tag)
	}
	if !slices.Contains(tags, language.English) {
		tags = append(tags, language.English)
	}
	return tags
}

// read returns the texts of each language in its files.
func read(files fs.FS) (map[language.Tag]map[string]*message, error) {
	names, err := fs.Glob(files, "*/*.json")
	if err != nil {
		return nil, fmt.Errorf("locales: %w", err)
	}
	own := make(map[language.Tag]map[string]*message)
	for _, name := range names {
		tag, err := language.Parse(path.Dir(name))
		if err != nil {
			return nil, fmt.Errorf("locales: %s: %w", name, err)
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("locales: %w", err)
		}
		var raw map[string]json.RawMessage
		if err := json.Unmarshal(data, &raw); err != nil {
			return nil, fmt.Errorf("locales: %s: %w", name, err)
		}
		if own[tag] == nil {
			own[tag] = make(map[string]*message)
		}
		for key, value := range raw {
			if own[tag][key] != nil {
				return nil, fmt.Errorf("locales: %s: %q is in another area too", name, key)
			}
			m, err := parse(tag, value)
			if err != nil {
				return nil, fmt.Errorf("locales: %s: %q: %w", name, key, err)
			}
			own[tag][key] = m
		}
	}
	return own, nil
}

// direction is the direction of a language's script.
func direction(tag language.Tag) string {
	script, _ := tag.Script()
	switch script.String() {
	case "Arab", "Hebr", "Thaa", "Syrc", "Nkoo", "Adlm":
		return "rtl"
	}
	return "ltr"
}

// Languages lists the languages a person can pick, by tag.
func (c *Catalog) Languages() []Language {
	list := make([]Language, len(c.tables))
	for i, t := range c.tables {
		list[i] = Language{Tag: t.lang, Name: Printer{t}.T("language.name"), Dir: t.dir}
	}
	return list
}

// maxPreference is how many bytes of one source of preferences are read:
// sources come from requests, and parsing and matching them costs time in
// proportion to their length.
const maxPreference = 512

// Negotiate picks the language of ENR-13: what the person picked, else what the
// application asks (OpenID Connect's ui_locales, tags parted by spaces), else
// the browser's Accept-Language, else the tenant's language, else English. A
// source that is empty, malformed or names no language of the catalogue is
// skipped.
func (c *Catalog) Negotiate(picked, uiLocales, acceptLanguage, tenantLanguage string) Printer {
	asked := strings.Join(strings.Fields(bounded(uiLocales, ' ')), ",")
	for _, source := range []string{bounded(picked, ','), asked, bounded(acceptLanguage, ','), bounded(tenantLanguage, ',')} {
		tags, _, err := language.ParseAcceptLanguage(source)
		if err != nil || len(tags) == 0 {
			continue
		}
		// The matched tag may have extensions (pt-BR-u-rg-ptzzzz), so the
		// language is found by its index.
		if _, i, confidence := c.matcher.Match(tags...); confidence > language.No {
			return Printer{c.byTag[c.supported[i]]}
		}
	}
	return Printer{c.byTag[language.English]}
}

// bounded cuts s at the last separator within maxPreference bytes.
func bounded(s string, separator byte) string {
	if len(s) <= maxPreference {
		return s
	}
	return s[:max(0, strings.LastIndexByte(s[:maxPreference], separator))]
}
