// Package phone is an authenticator app without a screen, for scripts, for tests, and for people who
// use a terminal.
//
// It implements docs/protocol-authenticator.md and shares no protocol code with the server. Signing
// requests and reading answers are implemented here from that page, so that page, server and app check
// each other.
//
// It stores its keys and seeds in one file in a folder, with mode 0600. A phone with secure hardware
// protects them better: whoever can read this file can use the authenticator. Only one process at a
// time should use a folder.
package phone
