// Package locales holds every sentence a person can see, and picks the
// language to say it in.
//
// A catalogue is a folder of JSON files, one for each area of the house:
// en/login.json, de/login.json and so on. Each maps keys to a text, or to the
// forms of a text that counts something:
//
//	"push.heading": "Approve the sign-in on your phone",
//	"push.left": {"one": "{n} second left", "other": "{n} seconds left"}
//
// An argument is a name in braces. The argument named n picks the form by the
// plural rules of the language (CLDR); everything else about a language stays
// in its files.
//
// A language need not be complete. At start each is laid over its parents and
// these over English, into one flat map, so that saying something is one
// look-up, and a text that is missing appears in English, marked as such, one
// text at a time (ENR-13). English itself, Arabic, French, German and Spanish are
// complete; the tests hold that.
package locales
