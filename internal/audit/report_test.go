package audit

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A name that a user chose must not become a formula in an operator's spreadsheet.
func TestADM7_CellsAreNoFormulas(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"anna":                    "anna",
		"a=b":                     "a=b",
		"=1+1":                    "'=1+1",
		"=HYPERLINK(\"x\",\"y\")": "'=HYPERLINK(\"x\",\"y\")",
		"+49 89":                  "'+49 89",
		"-2":                      "'-2",
		"@SUM(A1)":                "'@SUM(A1)",
		"\t=1":                    "'\t=1",
		"\r=1":                    "'\r=1",
		"\n=1":                    "'\n=1",
		"＝1":                      "'＝1",
		"'=1":                     "'=1",
	} {
		if got := EscapeCell(text); got != want {
			t.Errorf("Cell(%q) = %q, want %q", text, got, want)
		}
	}
	var b strings.Builder
	c, err := NewCSV(&b, "name", "mail")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Write("=1,2", "a\"b\nc"); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "name,mail\n\"'=1,2\",\"a\"\"b\nc\"\n"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

func TestENR18_WhatBecameOfAnEnrollment(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	step := func(seconds int, kind Kind, data ...string) Event {
		e := Event{Kind: kind, At: began.Add(time.Duration(seconds) * time.Second), User: "usr_1", Journey: "jrn_1", Application: "app_1",
			Actor: identity.Principal{IP: "192.0.2.1"}, Data: map[string]string{}}
		for i := 0; i < len(data); i += 2 {
			e.Data[data[i]] = data[i+1]
		}
		return e
	}
	voided := step(200, EnrollVoided, "activation", "act_1")
	voided.Reason = "cancelled"
	key := step(40, EnrollKey, "activation", "act_1")
	key.Authenticator = "aut_1"
	way := []Event{step(0, EnrollCodeSent), step(20, EnrollCodeRight), step(25, EnrollPlatform, "platform", "android"),
		step(25, EnrollActivation, "activation", "act_1", "platform", "android", "template", "standard"), key}
	for _, tt := range []struct {
		name   string
		events []Event
		after  time.Duration // since it began
		want   Outcome
	}{
		{"code sent", way[:1], time.Minute, UnderWay},
		{"code never used", way[:1], 2 * time.Hour, Abandoned},
		{"key registered", way, time.Minute, UnderWay},
		{"finished", append(way[:5:5], step(60, EnrollFinished)), 24 * time.Hour, Finished},
		{"cancelled", append(way[:4:4], voided), time.Minute, Voided},
		{"cancelled and begun again", append(way[:4:4], voided, step(230, EnrollActivation, "activation", "act_2")), 5 * time.Minute, UnderWay},
		{"no address", []Event{step(0, EnrollNoMail)}, time.Minute, NoMail},
		{"a further one", []Event{step(0, EnrollFurther)}, time.Minute, UnderWay},
		{"a further one, left", []Event{step(0, EnrollFurther), step(5, EnrollFurtherLeft)}, time.Minute, Voided},
		{"an invitation, left", []Event{step(0, EnrollInvitationBegun), step(5, EnrollInvitationLeft)}, time.Minute, Voided},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := EnrollmentOf(tt.events, began.Add(tt.after))
			if got.Outcome != tt.want || len(got.Stages) != len(tt.events) || got.User != "usr_1" || got.IP != "192.0.2.1" || !got.At.Equal(began) {
				t.Errorf("got %+v, want %q", got, tt.want)
			}
			reason := "cancelled"
			if strings.HasSuffix(tt.name, "left") {
				reason = "left by the person"
			}
			if tt.want == Voided && got.Reason != reason {
				t.Errorf("reason %q, want %q", got.Reason, reason)
			}
			if tt.want == Finished && (got.Platform != "android" || got.Template != "standard" || got.Authenticator != "aut_1") {
				t.Errorf("of what: %+v", got)
			}
		})
	}
}

func TestADM6_ActivityOf(t *testing.T) {
	for _, tt := range []struct {
		event Event
		want  Activity
	}{
		{Event{Kind: LoginSucceeded, User: "usr_1", Data: map[string]string{"password": "password", "otp": "push"}, Personal: map[string]string{"name": "Anna"}},
			Activity{Kind: LoginSucceeded, User: "usr_1", Name: "Anna", Method: "password+push", Result: "success"}},
		{Event{Kind: PushRefused, Reason: "rejected by user", Data: map[string]string{"serial": "LK-1"}},
			Activity{Kind: PushRefused, Method: "push", Serial: "LK-1", Result: "failure", Reason: "rejected by user"}},
		{Event{Kind: PushChallenge, Personal: map[string]string{"place": "Bergen", "name": "anna"}, Actor: identity.Principal{IP: "192.0.2.1"}},
			Activity{Kind: PushChallenge, Name: "anna", IP: "192.0.2.1", Place: "Bergen", Method: "push", Result: "challenge"}},
		{Event{Kind: PasscodeWrong, Reason: "locked", Erased: true}, Activity{Kind: PasscodeWrong, Method: "passcode", Result: "failure", Reason: "locked"}},
		{Event{Kind: OuterWindow}, Activity{Kind: OuterWindow, Method: "passcode", Result: "outer-window"}},
	} {
		if got := ActivityOf(tt.event); got != tt.want {
			t.Errorf("ActivityOf(%s) = %+v, want %+v", tt.event.Kind, got, tt.want)
		}
	}
}

// What can begin an enrolment belongs to it; else one that begins so has no events at all.
func TestENR18_WhatBeginsAnEnrollmentBelongsToIt(t *testing.T) {
	for _, kind := range EnrollmentStartKinds {
		if !slices.Contains(EnrollmentKinds, kind) {
			t.Errorf("%s begins an enrolment and does not belong to it", kind)
		}
	}
	if got := EnrollmentOf(nil, time.Now()); got.Outcome != "" || got.Stages != nil {
		t.Errorf("of no events: %+v", got)
	}
}

// The list of kinds is closed: what the reports name is in it.
func TestKindsOfReportsAreKinds(t *testing.T) {
	for _, list := range [][]Kind{EnrollmentStartKinds, EnrollmentKinds, ActivityKinds} {
		for _, kind := range list {
			if !Kinds[kind] {
				t.Errorf("%s is no kind of event", kind)
			}
		}
	}
}
