package locales

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// complete lists the languages that must have all texts.
var complete = []language.Tag{language.English, language.German, language.Arabic, language.French, language.Spanish}

func TestENR13_CompleteLanguagesLackNothing(t *testing.T) {
	own, err := read(embedded)
	if err != nil {
		t.Fatal(err)
	}
	english := own[language.English]
	for _, tag := range complete {
		for key := range english {
			if own[tag][key] == nil {
				t.Errorf("%v: %s is missing", tag, key)
			}
		}
	}
	for tag, texts := range own {
		if texts["language.name"] == nil {
			t.Errorf("%v does not say what it is called", tag)
		}
		for key, m := range texts {
			e := english[key]
			if e == nil {
				t.Errorf("%v: %s is not in English", tag, key)
				continue
			}
			if got, want := arguments(m), arguments(e); !slices.Equal(got, want) {
				t.Errorf("%v: %s has arguments %v, want %v", tag, key, got, want)
			}
			if got, want := categories(m), needed(tag); len(got) > 1 && !slices.Equal(got, want) {
				t.Errorf("%v: %s has plural forms %v, want %v", tag, key, got, want)
			}
			if len(categories(e)) > 1 && len(categories(m)) == 1 && len(needed(tag)) > 1 {
				t.Errorf("%v: %s counts, but has one form only", tag, key)
			}
		}
	}
}

// arguments lists the arguments of all forms of a message.
func arguments(m *message) []string {
	set := make(map[string]bool)
	for _, pieces := range m.forms {
		for _, p := range pieces {
			if p.arg != "" {
				set[p.arg] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func categories(m *message) []plural.Form {
	var forms []plural.Form
	for form, pieces := range m.forms {
		if pieces != nil {
			forms = append(forms, plural.Form(form))
		}
	}
	return forms
}

// needed returns the plural forms that a language has for numbers from 0 to
// 200.
func needed(tag language.Tag) []plural.Form {
	set := make(map[plural.Form]bool)
	for n := range 201 {
		set[plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0)] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func TestENR13_Negotiate(t *testing.T) {
	c := loadCatalog(t)
	for _, tt := range []struct {
		name                           string
		picked, asked, browser, tenant string
		want                           string
	}{
		{"nothing known", "", "", "", "", "en"},
		{"the person first", "ar", "de", "fr", "en", "ar"},
		{"then the application", "", "de fr", "ar", "en", "de"},
		{"its first that there is", "", "ja de", "ar", "en", "de"},
		{"then the browser", "", "", "fr;q=0.5, de;q=0.9", "ar", "de"},
		{"then the tenant", "", "", "ja", "de", "de"},
		{"a region of a language", "", "", "de-AT", "", "de"},
		{"a region of English", "", "", "en-ZA,de;q=0.5", "", "en"},
		{"refused by weight", "", "", "de;q=0, fr", "", "fr"},
		{"anything", "", "", "*", "ar", "ar"},
		{"garbage", "\x00", "<script>", ";;;q=,", "--", "en"},
		{"garbage after sense", "", "", "de, ;;;", "fr", "fr"},
		{"endless", strings.Repeat("x-", 1<<20), strings.Repeat("de ", 1<<20), "", "", "de"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := c.Negotiate(tt.picked, tt.asked, tt.browser, tt.tenant).Lang(); got != tt.want {
				t.Errorf("Negotiate(%.20q, %.20q, %q, %q) = %q, want %q", tt.picked, tt.asked, tt.browser, tt.tenant, got, tt.want)
			}
		})
	}
}

func FuzzNegotiate(f *testing.F) {
	c := loadCatalog(f)
	f.Add("de", "fr ar", "en-GB,en;q=0.8,*;q=0.1", "pt-BR-u-rg-ptzzzz")
	f.Add("x-", "\xff", ";q=1e99", "i-klingon")
	f.Fuzz(func(t *testing.T, picked, asked, browser, tenant string) {
		lang := c.Negotiate(picked, asked, browser, tenant).Lang()
		if !slices.ContainsFunc(c.Languages(), func(l Language) bool { return l.Tag == lang }) {
			t.Errorf("Negotiate(%q, %q, %q, %q) = %q, which is no language of the catalogue", picked, asked, browser, tenant, lang)
		}
	})
}

func TestLanguages(t *testing.T) {
	want := []Language{{"ar", "العربية", "rtl"}, {"de", "Deutsch", "ltr"}, {"en", "English", "ltr"},
		{"es", "Español", "ltr"}, {"fr", "Français", "ltr"}}
	if got := loadCatalog(t).Languages(); !slices.Equal(got, want) {
		t.Errorf("Languages() = %v, want %v", got, want)
	}
}

// small is a catalogue of a few texts.
func small(t *testing.T) *Catalog {
	c, err := LoadFrom(fstest.MapFS{
		"en/a.json":    {Data: []byte(`{"hello": "Hello {name}", "left": {"one": "{n} second", "other": "{n} seconds"}, "bye": "Bye"}`)},
		"pt/a.json":    {Data: []byte(`{"hello": "Olá {name}", "bye": "Tchau"}`)},
		"pt-BR/a.json": {Data: []byte(`{"hello": "Oi {name}"}`)},
		"ar/a.json":    {Data: []byte(`{"hello": "مرحبا {name}", "left": {"zero": "z", "one": "o", "two": "t", "few": "{n} f", "many": "{n} m", "other": "{n} x"}}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestENR13_FallsBackTextByText(t *testing.T) {
	c := small(t)
	for _, tt := range []struct {
		lang, key string
		args      []any
		want      string
		from      string
	}{
		{"pt-BR", "hello", []any{"name", "Ana"}, "Oi Ana", "pt-BR"},
		{"pt-BR", "bye", nil, "Tchau", "pt"},
		{"pt-BR", "left", []any{"n", 1}, "1 second", "en"},
		{"pt-BR", "left", []any{"n", 0}, "0 seconds", "en"},
		{"ar", "hello", []any{"name", "Ana"}, "مرحبا \u2068Ana\u2069", "ar"},
		{"ar", "left", []any{"n", 2}, "t", "ar"},
		{"ar", "left", []any{"n", int64(7)}, "\u20687\u2069 f", "ar"},
		{"ar", "left", []any{"n", 11}, "\u206811\u2069 m", "ar"},
		{"ar", "left", []any{"n", 100}, "\u2068100\u2069 x", "ar"},
		{"en", "hello", nil, "Hello {name}", "en"},
		{"en", "nowhere", nil, "nowhere", "en"},
	} {
		p := c.Negotiate(tt.lang, "", "", "")
		if got := p.T(tt.key, tt.args...); got != tt.want {
			t.Errorf("%s: T(%q, %v) = %q, want %q", tt.lang, tt.key, tt.args, got, tt.want)
		}
		if got := p.TextLang(tt.key); got != tt.from {
			t.Errorf("%s: TextLang(%q) = %q, want %q", tt.lang, tt.key, got, tt.from)
		}
		if got, want := p.Fallback(tt.key), tt.from != tt.lang; got != want {
			t.Errorf("%s: Fallback(%q) = %t, want %t", tt.lang, tt.key, got, want)
		}
	}
}

func TestTexts(t *testing.T) {
	texts := small(t).Negotiate("pt", "", "", "").Texts("")
	if got, want := texts["hello"], "Olá {name}"; got != want {
		t.Errorf("hello is %q, want %q", got, want)
	}
	if got, want := texts["left"].(map[string]string)["one"], "{n} second"; got != want {
		t.Errorf("left, one is %q, want %q", got, want)
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"not JSON":         `{`,
		"neither":          `{"a": 1}`,
		"empty":            `{"a": ""}`,
		"unclosed":         `{"a": "{name"}`,
		"no name":          `{"a": "{}"}`,
		"no other":         `{"a": {"one": "x"}}`,
		"no such category": `{"a": {"other": "x", "dozen": "y"}}`,
		"in two areas":     `{"b": "x"}`,
	} {
		_, err := LoadFrom(fstest.MapFS{"en/a.json": {Data: []byte(data)}, "en/b.json": {Data: []byte(`{"b": "x"}`)}})
		if err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
	if _, err := LoadFrom(fstest.MapFS{"de/a.json": {Data: []byte(`{}`)}}); err == nil {
		t.Error("loaded without English")
	}
}

func TestWhen(t *testing.T) {
	at := time.Date(2026, 3, 4, 9, 5, 0, 0, time.FixedZone("", 3600))
	c := loadCatalog(t)
	for lang, want := range map[string]string{"en": "4 March 2026, 08:05 UTC", "de": "4. März 2026, 08:05 Uhr UTC", "fr": "4 mars 2026, 08:05 UTC"} {
		if got := c.Negotiate(lang, "", "", "").When(at); got != want {
			t.Errorf("%s: When = %q, want %q", lang, got, want)
		}
	}
}

func loadCatalog(t testing.TB) *Catalog {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}
