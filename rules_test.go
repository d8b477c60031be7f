package latchkey_test

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const rulesDocument = "docs/rules.md"

// notRules are the words that stand before a dash and a number, or before a
// number in a test's name, and are no group of rules.
var notRules = map[string]string{
	"ABCD":    "a short code in examples",
	"AES":     "the cipher",
	"CVE":     "faults of others, listed at cve.org",
	"ECMA":    "a standard",
	"LICENSE": "a file of the Apache Software Foundation",
	"LK":      "serials of authenticators",
	"OCRA":    "the version that begins an OCRA suite (RFC 6287)",
	"RFC":     "standards of the IETF",
	"RSA":     "the size of a key",
	"SHA":     "the hash",
	"UTF":     "the encoding",
}

// docs/rules.md has every number that the repository uses, each once, in
// order, and with a description.
func TestRules(t *testing.T) {
	document, err := os.ReadFile(rulesDocument)
	if err != nil {
		t.Fatal(err)
	}
	rules, problems := parseRules(string(document))
	for _, problem := range problems {
		t.Errorf("%s:%s", rulesDocument, problem)
	}
	for _, f := range readSources(t) {
		if f.path == rulesDocument || f.path == "rules_test.go" {
			continue
		}
		for _, problem := range unknownNumbers(f, rules) {
			t.Error(problem)
		}
	}
}

var (
	groupHeading = regexp.MustCompile(`^## ([A-Za-z-]+): \S`)
	ruleEntry    = regexp.MustCompile(`^- \*\*([A-Za-z-]+)[- ](\d+)([a-z]?)\*\*(.*)$`)
)

// A position is the place of a rule in its group.
type position struct {
	number int
	letter string
}

func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.number, q.number), cmp.Compare(p.letter, q.letter))
}

// A rulesReader reads the document line by line.
type rulesReader struct {
	rules    map[string]bool
	groups   []string
	last     position // of the last rule in the present group
	intro    bool     // whether the present group has an introduction
	problems []string
}

// parseRules returns the numbers in the document, and what is wrong with it:
// a number that is listed twice, out of order, outside its group or without a
// description, and a group that is not introduced.
func parseRules(document string) (map[string]bool, []string) {
	r := rulesReader{rules: make(map[string]bool)}
	for n, line := range strings.Split(document, "\n") {
		report := func(format string, args ...any) {
			r.problems = append(r.problems, fmt.Sprintf("%d: ", n+1)+fmt.Sprintf(format, args...))
		}
		switch {
		case strings.HasPrefix(line, "#"):
			r.readHeading(line, report)
		case strings.HasPrefix(line, "- "):
			r.readEntry(line, report)
		case strings.TrimSpace(line) != "":
			r.intro = true
		}
	}
	return r.rules, r.problems
}

func (r *rulesReader) readHeading(line string, report func(string, ...any)) {
	found := groupHeading.FindStringSubmatch(line)
	if found == nil {
		if strings.HasPrefix(line, "##") {
			report("%q is not the heading of a group", line)
		}
		return
	}
	if slices.Contains(r.groups, found[1]) {
		report("the group %s has two headings", found[1])
	}
	r.groups, r.last, r.intro = append(r.groups, found[1]), position{}, false
}

func (r *rulesReader) readEntry(line string, report func(string, ...any)) {
	found := ruleEntry.FindStringSubmatch(line)
	if found == nil {
		report("%q does not begin with a number", line)
		return
	}
	group, text := found[1], strings.TrimSpace(found[4])
	number := strings.Trim(strings.SplitN(line, "**", 3)[1], " ")
	n, err := strconv.Atoi(found[2])
	if err != nil {
		report("%s: %v", number, err)
	}
	at := position{n, found[3]}
	if len(r.groups) == 0 || r.groups[len(r.groups)-1] != group {
		report("%s does not stand in its group", number)
	}
	if !r.intro {
		report("%s: nothing says what the group is about", number)
		r.intro = true
	}
	switch {
	case r.rules[number]:
		report("%s is listed twice", number)
	case at.compare(r.last) <= 0:
		report("%s is out of order", number)
	default:
		r.last = at
	}
	if len(strings.Fields(text)) < 3 {
		report("%s has no description", number)
	}
	r.rules[number] = true
}

var (
	dashedNumber = regexp.MustCompile(`\b((?:T-)?[A-Z]{2,})-(\d+[a-z]?)\b`)
	testNumber   = regexp.MustCompile(`\bfunc (?:Test|Fuzz|Benchmark|Example)(?:[A-Z][a-z]+)*?([A-Z]{2,})(\d+[a-z]?)(?:\b|[A-Z_])`)
	wordNumber   = regexp.MustCompile(`(?i)\b(attack|trap)s?[\s/#*]+(\d+(?:(?:, | and | to )\d+)*)\b`)
	digits       = regexp.MustCompile(`\d+`)
)

// unknownNumbers returns what a file names like a rule and rules does not have.
func unknownNumbers(f sourceFile, rules map[string]bool) []string {
	var problems []string
	check := func(offset int, number string) {
		if !rules[number] {
			problems = append(problems, fmt.Sprintf("%s:%d: %s is not in %s", f.path, f.line(offset), number, rulesDocument))
		}
	}
	for _, m := range dashedNumber.FindAllStringSubmatchIndex(f.text, -1) {
		if prefix := f.text[m[2]:m[3]]; notRules[prefix] == "" {
			check(m[0], f.text[m[0]:m[1]])
		}
	}
	for _, m := range testNumber.FindAllStringSubmatchIndex(f.text, -1) {
		prefix := f.text[m[2]:m[3]]
		if notRules[prefix] != "" {
			continue
		}
		if threat, ok := strings.CutPrefix(prefix, "T"); ok {
			prefix = "T-" + threat
		}
		check(m[0], prefix+"-"+f.text[m[4]:m[5]])
	}
	for _, m := range wordNumber.FindAllStringSubmatchIndex(f.text, -1) {
		word := strings.ToLower(f.text[m[2]:m[3]])
		for _, n := range digits.FindAllString(f.text[m[4]:m[5]], -1) {
			check(m[0], word+" "+n)
		}
	}
	return problems
}

// Each fault of the document is noticed.
func TestRulesDocumentFaults(t *testing.T) {
	const good = "# Rules\n\n## PUSH: push\n\nWhat a phone does.\n\n- **PUSH-1** A push is sent.\n- **PUSH-1a** Or it is not.\n" +
		"- **PUSH-10** It comes after\n  all.\n\n## attack: attacks\n\nWhat is tried.\n\n- **attack 1** Two phones at once.\n"
	if rules, problems := parseRules(good); len(problems) > 0 || len(rules) != 4 {
		t.Fatalf("of a good document: %v, %v", rules, problems)
	}
	for _, test := range []struct{ name, old, new, want string }{
		{"listed twice", "- **PUSH-10**", "- **PUSH-1** A push is sent.\n- **PUSH-10**", "PUSH-1 is listed twice"},
		{"listed twice in a row", "- **PUSH-1a**", "- **PUSH-1** Again a push.\n- **PUSH-1a**", "PUSH-1 is listed twice"},
		{"out of order", "- **PUSH-1a** Or", "- **PUSH-11** Then nothing comes.\n- **PUSH-1a** Or", "PUSH-1a is out of order"},
		{"a letter before its number", "- **PUSH-1** A", "- **PUSH-1a** Or it is not.\n- **PUSH-1** A", "PUSH-1 is out of order"},
		{"no description", "- **PUSH-1** A push is sent.", "- **PUSH-1**", "PUSH-1 has no description"},
		{"a full stop for a description", "- **PUSH-1** A push is sent.", "- **PUSH-1** .", "PUSH-1 has no description"},
		{"in another group", "- **attack 1**", "- **PUSH-12** A push is late.\n- **attack 1**", "PUSH-12 does not stand in its group"},
		{"a group that is not introduced", "What is tried.\n", "", "attack 1: nothing says what the group is about"},
		{"a group in two places", "## attack: attacks", "## PUSH: more", "the group PUSH has two headings"},
		{"an entry without a number", "- **PUSH-10** It", "- It", "does not begin with a number"},
	} {
		t.Run(test.name, func(t *testing.T) {
			document := strings.Replace(good, test.old, test.new, 1)
			if document == good {
				t.Fatal("nothing was replaced")
			}
			_, problems := parseRules(document)
			if !strings.Contains(strings.Join(problems, "\n"), test.want) {
				t.Errorf("got %q, want %q", problems, test.want)
			}
		})
	}
}

// A number is noticed wherever it stands and however it is written.
func TestRulesNumbersAreFound(t *testing.T) {
	rules := map[string]bool{"PUSH-9": true, "PUSH-9a": true, "T-LOG-02": true, "attack 6": true}
	for _, test := range []struct{ name, text, want string }{
		{"all known", "// PUSH-9, PUSH-9a and T-LOG-02; attack 6.\nfunc TestPUSH9a_Locked(\nfunc TestTLOG02_Time(", ""},
		{"a comment", "// Counted by user (PUSH-99).", "PUSH-99"},
		{"a threat", "// T-LOG-99", "T-LOG-99"},
		{"a letter that is not there", "{{/* PUSH-9b */}}", "PUSH-9b"},
		{"an unknown group", "<!-- MSG-1 -->", "MSG-1"},
		{"a test", "func TestPUSH99_Counts(t *testing.T) {", "PUSH-99"},
		{"a test with a letter", "func TestPUSH9b_Counts(t *testing.T) {", "PUSH-9b"},
		{"a test of a threat", "func TestTLOG99_Time(t *testing.T) {", "T-LOG-99"},
		{"a threat spelt without its zero", "func TestTLOG2_Time(t *testing.T) {", "T-LOG-2"},
		{"a test with words before the number", "func TestFaultPUSH99_Down(t *testing.T) {", "PUSH-99"},
		{"a test without an underscore", "func TestPUSH99Counts(t *testing.T) {", "PUSH-99"},
		{"a benchmark", "func BenchmarkPUSH99_Counts(b *testing.B) {", "PUSH-99"},
		{"an attack", "// Attack 99: two at once.", "attack 99"},
		{"attacks in a list", "// attacks 6 and 99", "attack 99"},
		{"an attack over two lines", "\t// (attack\n\t// 99)", "attack 99"},
		{"no rules", "SHA-256, RFC-1, LK-7, OCRA-1:HOTP-SHA1-6:QN08, CVE-2023-28119\nfunc TestRFC6238_Vectors(", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			problems := unknownNumbers(sourceFile{"a.go", test.text}, rules)
			if test.want == "" && len(problems) > 0 || test.want != "" && (len(problems) != 1 || !strings.Contains(problems[0], ": "+test.want+" is not in")) {
				t.Errorf("got %q, want %q", problems, test.want)
			}
		})
	}
}
