package policy

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
)

const (
	pw  = identity.Password
	otp = identity.SecondFactor
)

var (
	office  = netip.MustParsePrefix("192.0.2.0/24")
	office6 = netip.MustParsePrefix("2001:db8::/32")
	inside  = netip.MustParseAddr("192.0.2.7")
	outside = netip.MustParseAddr("198.51.100.7")
	nowhere = netip.Addr{}
)

func need(v ...identity.Validation) []identity.Validation { return v }

func TestJRN7_FirstMatchDecides(t *testing.T) {
	staff := []string{"grp_staff"}
	policy := Access{Rules: []Rule{
		{Name: "blocked", Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}, Deny: true},
		{Name: "payroll", Applications: []string{"app_pay"}, Groups: []string{"grp_hr", "grp_boss"}, Require: need(otp, pw), MaxAge: 600},
		{Name: "payroll for nobody else", Applications: []string{"app_pay"}, Deny: true},
		{Name: "office", Groups: staff, Networks: []netip.Prefix{office, office6}, Require: need(pw)},
		{Name: "staff", Groups: staff, Require: need(pw, otp)},
	}}
	if err := policy.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		subject Subject
		want    Decision
	}{
		{"in the office", Subject{staff, "app_wiki", inside}, Decision{"office", false, need(pw), 0, Matches, nil, false}},
		{"in the office, by IPv6", Subject{staff, "app_wiki", netip.MustParseAddr("2001:db8::1%eth0")}, Decision{"office", false, need(pw), 0, Matches, nil, false}},
		{"in the office, IPv4 mapped", Subject{staff, "app_wiki", netip.MustParseAddr("::ffff:192.0.2.7")}, Decision{"office", false, need(pw), 0, Matches, nil, false}},
		{"at home", Subject{staff, "app_wiki", outside}, Decision{"staff", false, need(pw, otp), 0, Matches, nil, false}},
		{"any of the groups, in the order asked", Subject{[]string{"grp_boss"}, "app_pay", outside}, Decision{"payroll", false, need(pw, otp), 600, Matches, nil, false}},
		{"another rule's application", Subject{staff, "app_pay", inside}, Decision{"payroll for nobody else", true, nil, 0, Matches, nil, false}},
		{"denied network", Subject{staff, "app_wiki", netip.MustParseAddr("203.0.113.9")}, Decision{"blocked", true, nil, 0, Matches, nil, false}},
		{"denied network, mapped", Subject{staff, "app_wiki", netip.MustParseAddr("::ffff:203.0.113.9")}, Decision{"blocked", true, nil, 0, Matches, nil, false}},
		{"nobody's rule", Subject{nil, "app_wiki", inside}, Decision{"", true, nil, 0, NoRuleMatches, nil, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := policy.Decide(tt.subject)
			if !same(got, tt.want) {
				t.Errorf("Decide(%v) = %+v, want %+v", tt.subject, got, tt.want)
			}
		})
	}
}

func same(a, b Decision) bool {
	return a.Rule == b.Rule && a.Deny == b.Deny && slices.Equal(a.Require, b.Require) && a.MaxAge == b.MaxAge && a.Reason == b.Reason && a.Remember == b.Remember
}

// Hiding one's address must not have a better result than any address that exists.
func TestJRN7_UnknownAddressIsDecidedStrictly(t *testing.T) {
	nets := []netip.Prefix{office}
	everyone := Rule{Name: "everyone", Require: need(pw)}
	for _, tt := range []struct {
		name  string
		rules []Rule
		want  Decision
	}{
		{"a rule that denies is not skipped", []Rule{{Name: "bad", Networks: nets, Deny: true}, everyone},
			Decision{"bad", true, nil, 0, AddressUnknown, nil, false}},
		{"one that lets in more easily does not", []Rule{{Name: "office", Networks: nets, Require: need(pw)}, {Name: "else", Require: need(pw, otp)}},
			Decision{"else", false, need(pw, otp), 0, Matches, nil, false}},
		{"one that asks for more does", []Rule{{Name: "wild", Networks: nets, Require: need(otp), MaxAge: 60}, everyone},
			Decision{"everyone", false, need(pw, otp), 60, Matches, nil, false}},
		{"the shorter age", []Rule{{Name: "wild", Networks: nets, Require: need(pw), MaxAge: 90}, {Name: "else", Require: need(pw), MaxAge: 30}},
			Decision{"else", false, need(pw), 30, Matches, nil, false}},
		{"one that asks for nothing", []Rule{{Name: "broken", Networks: nets}, everyone},
			Decision{"everyone", false, need(pw), 0, Matches, nil, false}},
		{"none besides", []Rule{{Name: "office", Networks: nets, Require: need(pw)}},
			Decision{"", true, nil, 0, NoRuleMatches, nil, false}},
		{"JRN-9 all must let devices be remembered", []Rule{{Name: "office", Networks: nets, Require: need(pw, otp)}, {Name: "else", Require: need(pw, otp), Remember: true}},
			Decision{"else", false, need(pw, otp), 0, Matches, nil, false}},
		{"JRN-9 and then they may be", []Rule{{Name: "office", Networks: nets, Require: need(pw, otp), Remember: true}, {Name: "else", Require: need(pw, otp), Remember: true}},
			Decision{"else", false, need(pw, otp), 0, Matches, nil, true}},
		{"another application's", []Rule{{Name: "bad", Networks: nets, Applications: []string{"app_x"}, Deny: true}, everyone},
			Decision{"everyone", false, need(pw), 0, Matches, nil, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (Access{tt.rules}).Decide(Subject{Application: "app_wiki", Address: nowhere}); !same(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestJRN7_NothingMatchesOrNothingAskedDenies(t *testing.T) {
	for name, policy := range map[string]Access{
		"no rules":              {},
		"a rule without wishes": {Rules: []Rule{{Name: "zero"}}},
	} {
		if got := policy.Decide(Subject{Address: inside}); !got.Deny {
			t.Errorf("%s: got %+v, want a denial", name, got)
		}
	}
}

func TestJRN7_ExplainSaysWhyOfEveryRule(t *testing.T) {
	policy := Access{Rules: []Rule{
		{Name: "a", Applications: []string{"app_x"}, Require: need(pw)},
		{Name: "b", Groups: []string{"grp_x"}, Require: need(pw)},
		{Name: "c", Networks: []netip.Prefix{office}, Require: need(pw)},
		{Name: "d", Require: need(pw)},
		{Name: "e", Deny: true},
	}}
	_, got := policy.Explain(Subject{Application: "app_wiki", Address: outside})
	want := []Trace{{"a", OtherApplication}, {"b", OtherGroups}, {"c", OtherNetwork}, {"d", Matches}, {"e", NotReached}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, got = policy.Explain(Subject{Application: "app_wiki"}); got[2].Reason != AddressUnknown {
		t.Errorf("without an address rule c says %q, want %q", got[2].Reason, AddressUnknown)
	}
}

func TestJRN10_WhatIsAskedDependsOnNoGroup(t *testing.T) {
	nets := []netip.Prefix{office}
	for _, tt := range []struct {
		name                   string
		rules                  []Rule
		address                netip.Addr
		wantPassword, wantCode bool
	}{
		{"the default", DefaultAccess().Rules, inside, true, true},
		{"one group's rule asks", []Rule{{Groups: []string{"g"}, Require: need(pw)}, {Require: need(otp)}}, inside, true, true},
		{"a rule after one for everybody", []Rule{{Require: need(otp)}, {Require: need(pw)}}, inside, false, true},
		{"another application's", []Rule{{Applications: []string{"app_x"}, Require: need(pw)}, {Require: need(otp)}}, inside, false, true},
		{"another network's", []Rule{{Networks: nets, Require: need(pw)}, {Require: need(otp)}}, outside, false, true},
		{"its network's", []Rule{{Networks: nets, Require: need(pw)}, {Require: need(otp)}}, inside, true, false},
		{"a network's, address unknown", []Rule{{Networks: nets, Require: need(pw)}, {Require: need(otp)}}, nowhere, true, true},
		{"behind a denial of everybody", []Rule{{Deny: true}, {Require: need(pw)}}, inside, false, false},
		{"behind a denial of a network, address unknown", []Rule{{Networks: nets, Deny: true}, {Require: need(pw)}}, nowhere, false, false},
		{"behind a denial of a group", []Rule{{Groups: []string{"g"}, Deny: true}, {Require: need(pw)}}, inside, true, false},
		{"no rules", nil, inside, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			policy := Access{tt.rules}
			if got := policy.AsksPassword("app_wiki", tt.address); got != tt.wantPassword {
				t.Errorf("AsksPassword = %t, want %t", got, tt.wantPassword)
			}
			if got := policy.AsksSecondFactor("app_wiki", tt.address); got != tt.wantCode {
				t.Errorf("AsksSecondFactor = %t, want %t", got, tt.wantCode)
			}
		})
	}
}

// What a policy decides for any user must have been announced for all: a
// validation asked only of some groups would reveal who is in them.
func TestJRN10_NothingIsAskedThatWasNotAnnounced(t *testing.T) {
	var pool []Rule
	for _, groups := range [][]string{nil, {"g"}, {"h"}} {
		for _, apps := range [][]string{nil, {"app_wiki"}, {"app_x"}} {
			for _, nets := range [][]netip.Prefix{nil, {office}} {
				pool = append(pool, Rule{Groups: groups, Applications: apps, Networks: nets, Deny: true},
					Rule{Groups: groups, Applications: apps, Networks: nets, Require: need(pw)},
					Rule{Groups: groups, Applications: apps, Networks: nets, Require: need(otp)})
			}
		}
	}
	check := func(rules ...Rule) {
		policy := Access{rules}
		for _, address := range []netip.Addr{inside, outside, nowhere} {
			for _, groups := range [][]string{nil, {"g"}, {"h"}, {"g", "h"}} {
				d := policy.Decide(Subject{groups, "app_wiki", address})
				if slices.Contains(d.Require, pw) && !policy.AsksPassword("app_wiki", address) {
					t.Errorf("%+v: asks %v of groups %v at %v, announced no password", rules, d.Require, groups, address)
				}
				if slices.Contains(d.Require, otp) && !policy.AsksSecondFactor("app_wiki", address) {
					t.Errorf("%+v: asks %v of groups %v at %v, announced no one-time password", rules, d.Require, groups, address)
				}
			}
		}
	}
	for _, a := range pool {
		for _, b := range pool {
			check(a, b)
			for _, c := range pool[:6] {
				check(a, b, c)
			}
		}
	}
}
