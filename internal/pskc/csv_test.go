package pskc

import (
	"slices"
	"strings"
	"testing"
)

func TestCRED1_CSV(t *testing.T) {
	got, err := ReadCSV([]byte("\ufeffSerial,kind,seed,digits,step,counter,algorithm,manufacturer\r\n" +
		"A1,totp,3132333435363738393031323334353637383930,,60,,SHA-256,Acme\r\n" +
		"A2,HOTP,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,8,,7,,\"Acme, Ltd\"\r\n" +
		"A3,,31 32 33 34 35 36 37 38 39 30 31 32 33 34 35 36 37 38 39 30,,,,,\r\n"))
	want := []Key{
		{Line: 2, Serial: "A1", Manufacturer: "Acme", Seed: rfcSeed, Digits: 6, Period: 60, Algorithm: SHA256},
		{Line: 3, Serial: "A2", Manufacturer: "Acme, Ltd", Event: true, Seed: rfcSeed, Digits: 8, Counter: 7, Algorithm: SHA1},
		{Line: 4, Serial: "A3", Seed: rfcSeed, Digits: 6, Period: 30, Algorithm: SHA1},
	}
	if err != nil || !slices.EqualFunc(got, want, same) {
		t.Errorf("got %#v, %v, want %#v", got, err, want)
	}
}

// All problems are reported at once, by line.
func TestCRED1_CSVProblems(t *testing.T) {
	_, err := ReadCSV([]byte("serial,seed,kind,digits,counter\n" +
		"B1,3132333435363738393031323334353637383930,totp,7,\n" +
		"B2,not a seed!,sms,6,x\n" +
		"B1,3132333435363738393031323334353637383930,totp,6,3\n" +
		"B4,3132333435363738393031323334353637383930\n" +
		",,,,\n" +
		"B5,3132,totp,6,\n"))
	want := strings.Join([]string{
		`line 2: serial B1: makes passcodes of 7 digits; 6 and 8 can be used`,
		`line 3: serial B2: the seed is neither hexadecimal nor Base32`,
		`line 3: serial B2: kind "sms" is neither totp nor hotp`,
		`line 3: serial B2: counter "x" is no number`,
		`line 4: serial B1: has a counter, and is of the kind totp`,
		`line 4: serial B1: is in line 2 already; one of the two must go`,
		`line 5: has 2 fields, the header 5`,
		`line 6: has no seed`,
		`line 6: has no serial`,
		`line 7: serial B5: the seed has 2 bytes; 10 to 128 can be used`,
	}, "\n")
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v\nwant %s", err, want)
	}
	for file, want := range map[string]string{
		"serial,sed\n":       `column "sed" is not known; did you mean seed?`,
		"serial,seed,seed\n": `column "seed" is there twice`,
		"serial,seed\n":      "there is no token in it",
		"":                   "no header row",
		"serial\xff":         "is not UTF-8",
	} {
		if _, err := ReadCSV([]byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", file, err, want)
		}
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("serial,seed,kind,digits,counter\nB1,3132333435363738393031323334353637383930,hotp,6,7\n"))
	f.Add([]byte("serial,seed\nB1,base32:GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := ReadCSV(data)
		if (err == nil) != (len(keys) > 0) {
			t.Errorf("%d keys and %v", len(keys), err)
		}
		for _, k := range keys {
			if faults := k.faults(); len(faults) > 0 || len(k.Seed) == 0 {
				t.Errorf("%s: %v", k, faults)
			}
		}
	})
}
