//go:build !race

package journey_test

const guesses = 10_000
