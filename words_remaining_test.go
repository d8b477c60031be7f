package latchkey_test

// remaining lists, by folder, the words and names that are not replaced yet.
// It only becomes shorter: go test -run TestWords . -shrink
const remaining = `
idp: handout visit
internal/bench: house stranger walk
internal/journey: door journey.*.settle stranger visit walk
internal/phone: bell
`
