//go:build race

package e2e

// race says that the tests run with the race detector; then the server does too.
const race = true
