package latchkey_test

// remaining lists, by folder, the words and names that are not replaced yet.
// It only becomes shorter: go test -run TestWords . -shrink
const remaining = `
cmd/latchkey: handout house strand stranger walk
cmd/latchkey/testdata/transcripts: house
e2e: bell courier door house stranger vault visit walk
e2e/strangers: stranger
enroll: bell enroll.flood enroll.pend enroll.redeem epoch errand handout house kit stranger tally
idp: handout idp.*.apply idp.*.hold idp.*.mark idp.*.show idp.*.sit idp.*.take idp.alone idp.patient kit sitting visit
idp/oidc: house kit stranger
idp/saml: house kit stranger
internal/admin: house obstacle strand tenancy wayin
internal/authenticator: authenticator.whose holding house internal/authenticator/life internal/authenticator/most internal/authenticator/own stranger
internal/backup: house
internal/bench: house stranger walk
internal/config: bell walk
internal/demo: kit visit
internal/directory: directory.*.Judge directory.*.fits door internal/directory/judge internal/directory/known internal/directory/leave stranger tally
internal/doctor: annexe epoch
internal/identity: floor house identity.Passed pipush stranger
internal/journey: door errand holding house internal/journey/context journey.*.Others journey.*.conclude journey.*.gather journey.*.kept journey.*.pose journey.*.settle journey.*.tick journey.Visit journey.class stranger tally visit walk
internal/mail: door house
internal/notify: bell door house
internal/outbound: stranger
internal/phone: bell house
internal/policy: door house obstacle policy.*.Leave policy.Class strand stranger walk wayin
internal/push: bell obstacle stranger tally
internal/server: annexe bell door house server.*.second server.Found
internal/store: bell epoch house internal/store/cutoff internal/store/fill store.*.CutOff store.*.EndPassingLock store.*.Fill store.*.GiveBack store.*.Hit store.*.Spent store.*.Wake store.*.hear store.*.turn store.fill store.lite store.missing store.moment stranger tally walk wayin
internal/store/storetest: house tally walk
internal/web: kit stranger
internal/webpush: bell stranger
locales: house stranger
portal/self: holding kit self.Visit visit wayin
scripts: stranger
static: stranger
static/authenticator: bell static/authenticator/former static/authenticator/lost static/authenticator/made static/authenticator/standing static/authenticator/traces vault veil
static/authenticator/scanner: stranger
templates: walk
`
