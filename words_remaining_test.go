package latchkey_test

// remaining lists, by folder, the words and names that are not replaced yet.
// It only becomes shorter: go test -run TestWords . -shrink
const remaining = `
enroll: bell enroll.flood enroll.pend enroll.redeem epoch errand handout kit stranger tally
idp: handout kit visit
internal/bench: house stranger walk
internal/journey: door errand holding house journey.*.settle journey.class stranger tally visit walk
internal/phone: bell
internal/server: annexe bell door house server.*.second server.Found
`
