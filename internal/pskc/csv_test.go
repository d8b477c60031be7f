package pskc

import (
	"slices"
	"strings"
	"testing"
)

func TestCRED1_CSV(t *testing.T) {
	got, _, err := ReadCSV([]byte("\ufeffSerial,kind,seed,digits,step,counter,algorithm,manufacturer\r\n" +
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
	_, _, err := ReadCSV([]byte("serial,seed,kind,digits,counter\n" +
		"B1,3132333435363738393031323334353637383930,totp,7,\n" +
		"B2,not a seed!,sms,6,x\n" +
		"B1,3132333435363738393031323334353637383930,totp,6,3\n" +
		"B4,3132333435363738393031323334353637383930\n" +
		",,totp,,\n" +
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
		if _, _, err := ReadCSV([]byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", file, err, want)
		}
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("serial,seed,kind,digits,counter\nB1,3132333435363738393031323334353637383930,hotp,6,7\n"))
	f.Add([]byte("serial,seed\nB1,base32:GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, _, err := ReadCSV(data)
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

// The files in which Microsoft Entra, Token2, Deepnet, privacyIDEA and LinOTP have seeds are
// read as they are. Without the aliases and headless each is refused.
func TestCRED1_CSVOfOthers(t *testing.T) {
	const hex, base32 = "3132333435363738393031323334353637383930", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	key := func(line int, change func(k *Key)) Key {
		k := Key{Line: line, Serial: "A1", Seed: rfcSeed, Digits: 6, Period: 30, Algorithm: SHA1}
		change(&k)
		return k
	}
	hotp := func(k *Key) { k.Event, k.Period = true, 0 }
	for _, tt := range []struct {
		name, file string
		want       []Key
		passed     string
	}{
		{"Entra", "upn,serial number,secret key,time interval,manufacturer,model\r\nanna@example.org,A1," + base32 + ",60,Token2,C301\r\n",
			[]Key{key(2, func(k *Key) { k.User, k.Period, k.Manufacturer = "anna@example.org", 60, "Token2" })}, "model"},
		{"Entra without users, as Excel saves it", "\ufeffupn;serial number;secret key;time interval;manufacturer;model\r\n;A1;" + base32 + ";30;Feitian;c200\r\n;;;;;\r\n",
			[]Key{key(2, func(k *Key) { k.Manufacturer = "Feitian" })}, "model"},
		{"Deepnet", "serial number,secret key,timeinterval,manufacturer,model\nA1," + hex + ",30,Deepnet Security,SafeID/Classic\n",
			[]Key{key(2, func(k *Key) { k.Manufacturer = "Deepnet Security" })}, "model"},
		{"two columns", "Serial;Seed\nA1;" + hex + "\n", []Key{key(2, func(*Key) {})}, ""},
		{"privacyIDEA", "# version: 1\nA1," + hex + ",HOTP,6,7\n# a comment\nA2, " + hex + ", totp, 8, 60\nA3," + hex + ",hotp\n", []Key{
			key(2, func(k *Key) { hotp(k); k.Counter = 7 }), key(4, func(k *Key) { k.Serial, k.Digits, k.Period = "A2", 8, 60 }),
			key(5, func(k *Key) { hotp(k); k.Serial = "A3" })}, ""},
		{"privacyIDEA with users", "# version: 2\nanna,ldap,staff,A1," + hex + ",totp,6,30\n", []Key{key(2, func(k *Key) { k.User = "anna" })}, ""},
		{"LinOTP", "A1," + hex + ",totp,6,30,sha256\n", []Key{key(1, func(k *Key) { k.Algorithm = SHA256 })}, ""},
		{"more than is needed", "serial,seed,batch,shipped on\nA1," + hex + ",7,2026-01-01\n", []Key{key(2, func(*Key) {})}, "batch, shipped on"},
	} {
		got, passed, err := ReadCSV([]byte(tt.file))
		if err != nil || !slices.EqualFunc(got, tt.want, same) || strings.Join(passed, ", ") != tt.passed {
			t.Errorf("%s: got %#v, %q, %v, want %#v", tt.name, got, passed, err, tt.want)
		}
	}
	for file, want := range map[string]string{
		"A1," + hex + "\n": "does not say whether it is hotp or totp",
		"A1," + hex + ",ocra,OCRA-1:HOTP-SHA1-6:QN08\n":       "line 1: serial A1: kind \"ocra\" is neither totp nor hotp",
		"serial number,secret key\n2.30873E+12," + hex + "\n": "a spreadsheet took it for one",
		"serial number,secret kez\nA1," + hex + "\n":          "column \"seed\" is missing",
		"A1,x,totp\n": "column \"serial\" is missing",
	} {
		if _, _, err := ReadCSV([]byte(file)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), hex) {
			t.Errorf("%q: got %v, want %q", file, err, want)
		}
	}
}
