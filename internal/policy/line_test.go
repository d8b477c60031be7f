package policy

import (
	"errors"
	"strings"
	"testing"
)

// Every problem of a document names its line.
func TestProblems_Locate(t *testing.T) {
	for _, tt := range []struct {
		name, document string
		want           []string
	}{
		{"a setting", "{\n  \"limit\": 5,\n  \"presence\": \"nod\"\n}", []string{"line 3: presence: must be one of: none, pick, enter, six-digits"}},
		{"several", "{\n\"limit\": 50,\n\n\"lock\": 1,\n\"pick_digits\":\n7}", []string{
			"line 2: limit: must be from 1 to 20", "line 4: lock: must be from 300 to 86400", "line 5: pick_digits: must be one of: 2, 3"}},
		{"a group's", "{\n \"groups\": {\n  \"A. Nurses\": {\n   \"enabled\": true,\n   \"codes_allowed\": true,\n   \"presence\": \"x\"}}}",
			[]string{"line 6: groups.A. Nurses.presence: must be one of"}},
		{"unknown", "{\n\n\"limt\": 5}", []string{"line 3: limt: is not known; did you mean limit?"}},
		{"twice", "{\"limit\": 5,\n\"limit\": 6}", []string{"line 2: limit: is there twice"}},
		{"not JSON", "{\"limit\": 5,\n\"lock\" 6}", []string{"line 2: is not JSON"}},
		{"cut off", "{\"limit\": 5,\n\"lock\":", []string{"line 2: is not JSON"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode(KindPush, []byte(tt.document))
			problems, ok := errors.AsType[Problems](err)
			if !ok || len(problems) != len(tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			problems.Locate([]byte(tt.document))
			for i, want := range tt.want {
				if got := problems[i].Error(); !strings.HasPrefix(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
	_, err := Decode(KindAccess, []byte("{\"rules\": [\n{\"name\": \"a\", \"require\": [\"otp\"]},\n\n{\"name\": \"b\",\n\"require\": [\"otp\",\n\"magic\"]}]}"))
	problems, _ := errors.AsType[Problems](err)
	problems.Locate([]byte("{\"rules\": [\n{\"name\": \"a\", \"require\": [\"otp\"]},\n\n{\"name\": \"b\",\n\"require\": [\"otp\",\n\"magic\"]}]}"))
	if len(problems) != 1 || problems[0].Line != 6 {
		t.Errorf("in a list: %v, want line 6", problems)
	}
}
