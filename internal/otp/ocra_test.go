package otp

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The keys, the PIN and the time of RFC 6287, appendix C.
var (
	ocra20     = []byte("12345678901234567890")
	ocra32     = []byte("12345678901234567890123456789012")
	ocra64     = []byte("1234567890123456789012345678901234567890123456789012345678901234")
	ocraMoment = time.Unix(0x132d0b6*60, 0)
)

// All vectors of RFC 6287, appendix C: one-way (C.1), mutual (C.2) and signature
// (C.3).
func TestCRED3_OCRAVectors(t *testing.T) {
	repeated := func(n int) (all []string) {
		for i := range n {
			all = append(all, strings.Repeat(fmt.Sprint(i), 8))
		}
		return all
	}
	numbered := func(format string, n int) (all []string) {
		for i := range n {
			all = append(all, strings.ReplaceAll(format, "#", fmt.Sprint(i)))
		}
		return all
	}
	same := func(q string, n int) (all []string) {
		for range n {
			all = append(all, q)
		}
		return all
	}
	for _, tt := range []struct {
		suite     string
		key       []byte
		questions []string
		want      []string // by the counter 0, 1, …, where the suite has one
	}{
		{"OCRA-1:HOTP-SHA1-6:QN08", ocra20, repeated(10),
			[]string{"237653", "243178", "653583", "740991", "608993", "388898", "816933", "224598", "750600", "294470"}},
		{"OCRA-1:HOTP-SHA256-8:C-QN08-PSHA1", ocra32, same("12345678", 10),
			[]string{"65347737", "86775851", "78192410", "71565254", "10104329", "65983500", "70069104", "91771096", "75011558", "08522129"}},
		{"OCRA-1:HOTP-SHA256-8:QN08-PSHA1", ocra32, repeated(5),
			[]string{"83238735", "01501458", "17957585", "86776967", "86807031"}},
		{"OCRA-1:HOTP-SHA512-8:C-QN08", ocra64, repeated(10),
			[]string{"07016083", "63947962", "70123924", "25341727", "33203315", "34205738", "44343969", "51946085", "20403879", "31409299"}},
		{"OCRA-1:HOTP-SHA512-8:QN08-T1M", ocra64, repeated(5),
			[]string{"95209754", "55907591", "22048402", "24218844", "36209546"}},
		{"OCRA-1:HOTP-SHA256-8:QA08", ocra32, numbered("CLI2222#SRV1111#", 5),
			[]string{"28247970", "01984843", "65387857", "03351211", "83412541"}},
		{"OCRA-1:HOTP-SHA256-8:QA08", ocra32, numbered("SRV1111#CLI2222#", 5),
			[]string{"15510767", "90175646", "33777207", "95285278", "28934924"}},
		{"OCRA-1:HOTP-SHA512-8:QA08", ocra64, numbered("CLI2222#SRV1111#", 5),
			[]string{"79496648", "76831980", "12250499", "90856481", "12761449"}},
		{"OCRA-1:HOTP-SHA512-8:QA08-PSHA1", ocra64, numbered("SRV1111#CLI2222#", 5),
			[]string{"18806276", "70020315", "01600026", "18951020", "32528969"}},
		{"OCRA-1:HOTP-SHA256-8:QA08", ocra32, numbered("SIG1#000", 5),
			[]string{"53095496", "04110475", "31331128", "76028668", "46554205"}},
		{"OCRA-1:HOTP-SHA512-8:QA10-T1M", ocra64, numbered("SIG1#00000", 5),
			[]string{"77537423", "31970405", "10235557", "95213541", "65360607"}},
	} {
		suite, err := ParseSuite(tt.suite)
		if err != nil {
			t.Fatal(err)
		}
		for i, question := range tt.questions {
			in := OCRAInput{Counter: int64(i), Question: question, PIN: "1234", Time: ocraMoment}
			got, err := suite.Response(tt.key, in)
			if err != nil || got != tt.want[i] {
				t.Errorf("%s: response %d to %s = %s, %v, want %s", suite.text, i, question, got, err, tt.want[i])
			}
			if !suite.Match(tt.key, in, tt.want[i]) || suite.Match(tt.key, in, "") {
				t.Errorf("%s: response %d does not match, or nothing does", suite.text, i)
			}
		}
	}
}

func TestParseSuite(t *testing.T) {
	for _, text := range []string{
		"OCRA-1:HOTP-SHA256-6:QN08", "OCRA-1:HOTP-SHA512-8:C-QN08-PSHA1", "OCRA-1:HOTP-SHA256-0:QH64",
		"OCRA-1:HOTP-SHA1-4:QH04-S512", "OCRA-1:HOTP-SHA512-10:C-QA64-PSHA512-S064-T48H", "OCRA-1:HOTP-SHA1-6:QN08-T59S",
	} {
		if got, err := ParseSuite(text); err != nil || got.text != text {
			t.Errorf("ParseSuite(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "OCRA-1", "OCRA-2:HOTP-SHA1-6:QN08", "ocra-1:hotp-sha1-6:qn08", "OCRA-1:TOTP-SHA1-6:QN08", "OCRA-1:HOTP-MD5-6:QN08",
		"OCRA-1:HOTP-SHA1-3:QN08", "OCRA-1:HOTP-SHA1-11:QN08", "OCRA-1:HOTP-SHA1-06:QN08", "OCRA-1:HOTP-SHA1--6:QN08",
		"OCRA-1:HOTP-SHA1-6:", "OCRA-1:HOTP-SHA1-6:C", "OCRA-1:HOTP-SHA1-6:QN03", "OCRA-1:HOTP-SHA1-6:QN65", "OCRA-1:HOTP-SHA1-6:QX08", "OCRA-1:HOTP-SHA1-6:QN8",
		"OCRA-1:HOTP-SHA1-6:QN08-C", "OCRA-1:HOTP-SHA1-6:QN08-PMD5", "OCRA-1:HOTP-SHA1-6:QN08-S64", "OCRA-1:HOTP-SHA1-6:QN08-S000", "OCRA-1:HOTP-SHA1-6:QN08-S513",
		"OCRA-1:HOTP-SHA1-6:QN08-T0M", "OCRA-1:HOTP-SHA1-6:QN08-T60S", "OCRA-1:HOTP-SHA1-6:QN08-T49H", "OCRA-1:HOTP-SHA1-6:QN08-T1D", "OCRA-1:HOTP-SHA1-6:QN08-T",
		"OCRA-1:HOTP-SHA1-6:QN08-T1M-PSHA1", "OCRA-1:HOTP-SHA1-6:QN08-PSHA1-PSHA1", "OCRA-1:HOTP-SHA1-6:QN08-", "OCRA-1:HOTP-SHA1-6:QN08:QN08",
	} {
		if got, err := ParseSuite(text); err == nil {
			t.Errorf("ParseSuite(%q) = %v, want an error", text, got)
		}
	}
}

// A question that the suite cannot take, or a missing secret, gives no response:
// it could be the same for everybody.
func TestResponseRefuses(t *testing.T) {
	numeric, err := ParseSuite("OCRA-1:HOTP-SHA256-6:QN08")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		suite    Suite
		secret   []byte
		question string
	}{
		{Suite{}, ocra32, "12345678"},
		{numeric, nil, "12345678"},
		{numeric, ocra32, ""},
		{numeric, ocra32, "1234567x"},
		{numeric, ocra32, strings.Repeat("1", 17)},
	} {
		if got, err := tt.suite.Response(tt.secret, OCRAInput{Question: tt.question}); err == nil {
			t.Errorf("%q answered %q with %s, want an error", tt.suite.text, tt.question, got)
		}
		if tt.suite.Match(tt.secret, OCRAInput{Question: tt.question}, "") {
			t.Errorf("%q: an empty response matches %q", tt.suite.text, tt.question)
		}
	}
}

func FuzzParseSuite(f *testing.F) {
	f.Add("OCRA-1:HOTP-SHA256-8:C-QN08-PSHA1-S064-T1M", "12345678")
	f.Add("OCRA-1:HOTP-SHA512-0:QH64", "0aF")
	f.Add("OCRA-1:HOTP-SHA1-10:QA04-T48H", "é")
	f.Fuzz(func(t *testing.T, text, question string) {
		suite, err := ParseSuite(text)
		if err != nil {
			return
		}
		if suite.text != text {
			t.Errorf("%q was read as %q", text, suite.text)
		}
		response, err := suite.Response(ocra20, OCRAInput{Question: question, Time: ocraMoment})
		if err == nil && suite.digits > 0 && len(response) != suite.digits {
			t.Errorf("%s answered with %q", suite.text, response)
		}
	})
}
