// Package locales holds all texts that people see, and chooses the language.
//
// A catalogue is a folder of JSON files, one for each part of the product:
// en/login.json, de/login.json and so on. Each maps keys to a text, or to the
// plural forms of a text:
//
// "push.heading": "Approve the sign-in in your authenticator",
// "push.left": {"one": "{n} second left", "other": "{n} seconds left"}
//
// An argument is a name in braces. The argument named n selects the plural form
// by the rules of the language (CLDR).
//
// A language need not be complete. When the catalogues are loaded, the texts of
// English, of a language's parents and its own are merged into one map, the
// more specific ones winning. A missing text is therefore shown in a parent or
// in English, and marked as being in another language (ENR-13). English,
// Arabic, French, German and Spanish are complete, which the tests check.
package locales
