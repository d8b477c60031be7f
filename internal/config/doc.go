// Package config reads the settings that an operator makes before the first start: the address
// under which users reach Latchkey, where it stores data, and how it sends mails.
//
// The settings are in one TOML file, latchkey.toml, in the server's folder. All keys are optional.
// A key can also be set by an environment variable, LATCHKEY_ and the key in capitals
// (LATCHKEY_BASE_URL, LATCHKEY_MAIL_HOST), which takes precedence over the file. With _FILE after
// its name, the variable is the path of a file that contains the value. Settings that tenants
// change while the server runs (policies, applications) are in the database.
//
// Reading and validating are separate. [Load] reads the file and reports unknown keys and values
// of the wrong type. [Config.Validate] then checks whether a server could run with it. A command
// that only needs the database is therefore not prevented by a missing certificate.
//
// The file never contains secrets. They are in separate files, named by keys that end in _file, so
// that the configuration can be shown to others.
//
// docs/configuration.md is generated from the comments on the fields of [Config].
package config

//go:generate go run ./reference config.go ../../docs/configuration.md
