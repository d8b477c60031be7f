// Package config reads what an operator decides before the first start: where
// people reach Latchkey, where it keeps things, and how its mails leave.
//
// All of it is one TOML file, latchkey.toml, in the server's folder. Every key
// may be missing and has a value that makes sense. A key may also be set by an
// environment variable, LATCHKEY_ and the key in capitals (LATCHKEY_BASE_URL,
// LATCHKEY_MAIL_HOST), which wins over the file; with _FILE behind its name, the
// variable is the path of a file that has the value. What tenants decide while
// the server runs (policies, applications) is in the database, not here.
//
// Reading and judging are two things. [Load] takes what is written, and names
// every key it does not know and every value of the wrong kind. [Config.Validate]
// then says whether a server could run with it. A command that only needs the
// database is not kept from it by a missing certificate.
//
// Secrets never stand in the file: they are in files of their own, named by
// keys that end in _file, so that this one can be shown around.
//
// docs/configuration.md is made from the comments on the fields of [Config].
package config

//go:generate go run ./reference config.go ../../docs/configuration.md
