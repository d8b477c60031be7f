//go:build race

package journey_test

// guesses are fewer where the race detector makes each of them take ten times as
// long.
const guesses = 1_000
