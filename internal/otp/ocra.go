package otp

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// A Suite says what a response is computed from and how (RFC 6287, section 6). It
// is read by [ParseSuite]. The zero value makes no responses.
type Suite struct {
	text      string
	algorithm Algorithm
	digits    int // of a response; 0 means the whole HMAC
	counter   bool
	question  byte // N, A or H
	length    int  // maximum length of a question
	pin       Algorithm
	session   int   // bytes of session information
	step      int64 // seconds
}

// An OCRAInput is what a response is computed from. Inputs that the suite does not
// name are ignored.
type OCRAInput struct {
	Counter  int64
	Question string // in mutual challenge-response both questions concatenated (section 7.2)
	PIN      string
	Session  []byte // at most as many bytes as the suite says
	Time     time.Time
}

// questionBytes is the length of a question in the data, padded with zeros.
const questionBytes = 128

// ParseSuite reads a suite such as OCRA-1:HOTP-SHA256-8:C-QN08-PSHA1. Names must
// be in upper case and parts in the order of section 6.3. The suite's bytes are
// part of every response, so another spelling would be another suite.
func ParseSuite(text string) (Suite, error) {
	s := Suite{text: text}
	wrong := func(what string) (Suite, error) { return Suite{}, fmt.Errorf("otp: suite %.64q: %s", text, what) }
	parts := strings.Split(text, ":")
	if len(parts) != 3 || parts[0] != "OCRA-1" {
		return wrong("is not of OCRA-1")
	}
	function := strings.Split(parts[1], "-")
	if len(function) != 3 || function[0] != "HOTP" {
		return wrong("is not of HOTP")
	}
	s.algorithm = Algorithm(function[1])
	if s.algorithm.hash() == nil {
		return wrong("has an unknown hash")
	}
	var ok bool
	if s.digits, ok = decimal(function[2], 1, 2); !ok || s.digits > 10 || s.digits > 0 && s.digits < 4 || len(function[2]) != len(strconv.Itoa(s.digits)) {
		return wrong("has other digits than 0 and 4 to 10")
	}
	inputs := strings.Split(parts[2], "-")
	if inputs[0] == "C" {
		s.counter, inputs = true, inputs[1:]
	}
	if len(inputs) == 0 || !s.readQuestion(inputs[0]) {
		return wrong("has no question of 4 to 64")
	}
	for inputs = inputs[1:]; len(inputs) > 0; inputs = inputs[1:] {
		if !s.readInput(inputs[0]) {
			return wrong("has an unknown input, or in another order than P, S, T")
		}
	}
	return s, nil
}

// readQuestion reads the question format, such as QN08.
func (s *Suite) readQuestion(part string) bool {
	if len(part) != 4 || part[0] != 'Q' || !strings.Contains("NAH", part[1:2]) {
		return false
	}
	var ok bool
	s.question = part[1]
	s.length, ok = decimal(part[2:], 2, 2)
	return ok && s.length >= 4 && s.length <= 64
}

// readInput reads one of the inputs after the question. Each may occur once, in
// the order of section 6.3.
func (s *Suite) readInput(part string) (ok bool) {
	name, rest := part[:min(1, len(part))], part[min(1, len(part)):]
	switch {
	case name == "P" && s.pin == "" && s.session == 0 && s.step == 0:
		s.pin = Algorithm(rest)
		return s.pin.hash() != nil
	case name == "S" && s.session == 0 && s.step == 0:
		s.session, ok = decimal(rest, 3, 3)
		return ok && s.session >= 1 && s.session <= 512
	case name == "T" && s.step == 0 && len(rest) > 1:
		n, ok := decimal(rest[:len(rest)-1], 1, 2)
		unit, most := int64(1), 59
		switch rest[len(rest)-1] {
		case 'S':
		case 'M':
			unit = 60
		case 'H':
			unit, most = 3600, 48
		default:
			return false
		}
		s.step = int64(n) * unit
		return ok && n >= 1 && n <= most && rest[0] != '0'
	}
	return false
}

// decimal reads a number with this number of digits.
func decimal(text string, least, most int) (n int, ok bool) {
	if len(text) < least || len(text) > most || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// Response returns the response to an input (section 5). With no digits it is the
// whole HMAC in hexadecimal. An input that the suite cannot take is an error. A
// missing secret is an error too, because anybody could make its responses.
func (s Suite) Response(secret []byte, in OCRAInput) (string, error) {
	if s.text == "" || len(secret) == 0 {
		return "", errors.New("otp: a response needs a suite and a secret")
	}
	question, err := s.pad(in.Question)
	if err != nil {
		return "", err
	}
	mac := hmac.New(s.algorithm.hash(), secret)
	mac.Write(append([]byte(s.text), 0))
	if s.counter {
		if in.Counter < 0 {
			return "", fmt.Errorf("otp: counter %d", in.Counter)
		}
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(in.Counter)))
	}
	mac.Write(question)
	if s.pin != "" {
		mac.Write(digest(s.pin, in.PIN))
	}
	if s.session > 0 {
		if len(in.Session) > s.session {
			return "", fmt.Errorf("otp: %d bytes of session information, at most %d", len(in.Session), s.session)
		}
		mac.Write(make([]byte, s.session-len(in.Session)))
		mac.Write(in.Session)
	}
	if s.step > 0 {
		if in.Time.Unix() < 0 {
			return "", fmt.Errorf("otp: time %v", in.Time)
		}
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(in.Time.Unix()/s.step)))
	}
	return s.truncate(mac.Sum(nil)), nil
}

// truncate returns the digits of an HMAC (RFC 4226, section 5.3).
func (s Suite) truncate(sum []byte) string {
	if s.digits == 0 {
		return hex.EncodeToString(sum)
	}
	offset := sum[len(sum)-1] & 0x0f
	value := uint64(binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff)
	modulus := uint64(1)
	for range s.digits {
		modulus *= 10
	}
	return fmt.Sprintf("%0*d", s.digits, value%modulus)
}

// Match reports, in constant time, whether a response is the right one for an input.
func (s Suite) Match(secret []byte, in OCRAInput, response string) bool {
	made, err := s.Response(secret, in)
	return err == nil && equal(made, response)
}

// pad returns the 128 bytes of a question, padded with zeros on the right. A number
// is written in hexadecimal first, whose last digit may be half a byte (section 5.1).
func (s Suite) pad(question string) ([]byte, error) {
	if question == "" || len(question) > 2*s.length {
		return nil, fmt.Errorf("otp: a question of %d characters, for %s", len(question), s.text)
	}
	padded := make([]byte, questionBytes)
	switch s.question {
	case 'A':
		copy(padded, question)
		return padded, nil
	case 'N':
		if strings.Trim(question, "0123456789") != "" {
			return nil, fmt.Errorf("otp: a question that is no number, for %s", s.text)
		}
		n, _ := new(big.Int).SetString(question, 10) // succeeds, as the question has only digits
		question = n.Text(16)
	}
	if len(question)%2 == 1 {
		question += "0"
	}
	if _, err := hex.Decode(padded, []byte(question)); err != nil {
		return nil, fmt.Errorf("otp: a question that is not hexadecimal, for %s", s.text)
	}
	return padded, nil
}

// digest returns the hash of a PIN.
func digest(a Algorithm, pin string) []byte {
	h := a.hash()()
	h.Write([]byte(pin))
	return h.Sum(nil)
}

// ChallengeSuite returns the suite for answering an eight-digit challenge that a
// person types, with six or eight digits.
func ChallengeSuite(digits int) string {
	return fmt.Sprintf("OCRA-1:HOTP-SHA256-%d:QN08", digits)
}

// ApprovalSuite returns the suite by which an app that makes no passcodes answers
// the nonce of a push request. Its question is the nonce's SHA-256 in hexadecimal.
func ApprovalSuite(digits int) string {
	return fmt.Sprintf("OCRA-1:HOTP-SHA256-%d:QH64", digits)
}

// NewChallenge returns a random challenge of eight digits.
func NewChallenge() string {
	n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return fmt.Sprintf("%08d", n)
}
