package latchkey_test

import "regexp"

// A bannedWord is a private metaphor or a name that says less than the
// standard one.
type bannedWord struct {
	forms   string // the word in lower case, and its inflections
	instead string
	where   scope
}

type scope int

const (
	names      scope = iota // of packages, declarations, files, folders, and in JavaScript
	everywhere              // in comments, documents, templates and scripts too
)

var bannedWords = []bannedWord{
	{"annexe annexes annex", "authenticatorMux, the web authenticator's own address", everywhere},
	{"bell bells doorbell doorbells rung unrung", "notify, Notifier, notification; pushEnabled; notified", everywhere},
	{"courier couriers", "the push service, sender", names},
	{"door doors", "what it is, such as a listener, a check, a way to sign in", everywhere},
	{"epoch epochs", "restore generation", names},
	{"errand errands", "codePurpose, the purpose of a code", everywhere},
	{"floor floors", "layer, minimum", everywhere},
	{"handout handouts", "provision", names},
	{"hindrance hindrances", "Ineligible, the reason", everywhere},
	{"holding holdings", "the authenticators of a user", names},
	{"house houses", "the server, database or harness that it is; the repository", everywhere},
	{"kit kits", "Site, helpers", names},
	{"obstacle obstacles", "Reason", names},
	{"pipush", "privacyidea", everywhere},
	{"seedfile seedfiles", "pskc, tokenimport", everywhere},
	{"sitting sittings", "loginFlow, the request", everywhere},
	{"strand strands stranded", "LockedOut, impact", names},
	{"stranger strangers", "attacker, another person or browser; unknown; untrusted; a client that others wrote", everywhere},
	{"tally tallies tallied", "FailureCounter, count", everywhere},
	{"tenancy", "admin, tenant", names},
	{"vault vaults", "keyStore", everywhere},
	{"veil veils veiled", "pinOverlay", everywhere},
	{"visit visits visitor visitors", "StepRequest, PageRequest; the request, the browser, the client, the person", names},
	{"walk walks walked walking walker walkers", "scan, read, go through; a sign-in from beginning to end", everywhere},
	{"wayin", "impact", everywhere},
}

// bannedNames are qualified names that were replaced by standard ones:
//
//   - "web.Kit": a declaration at the top of a package
//   - "web.*.From": a method or a field of any type of a package
//   - "internal/journey/context": a file, or a pair with its test
var bannedNames = map[string]string{
	"web.Kit":       "Site",
	"web.*.From":    "ClientIP",
	"web.*.Visitor": "AnonymousPrincipal",
	"web.*.Fail":    "RenderError",

	"idp.*.sit":   "load",
	"idp.*.take":  "post",
	"idp.*.show":  "get",
	"idp.*.apply": "dispatch",
	"idp.*.mark":  "pageState",
	"idp.*.hold":  "longPoll",
	"idp.patient": "clearDeadlines",
	"idp.alone":   "readsJourneyOnly",

	"server.Found":    "Init",
	"server.*.second": "adminListener",

	"identity.OneTimePassword": "SecondFactor",
	"identity.Passed":          "CompletedFactor",

	"journey.Visit":            "StepRequest",
	"journey.*.Others":         "OtherMethods",
	"journey.*.kept":           "unchanged",
	"journey.*.gather":         "load",
	"journey.*.conclude":       "evaluate",
	"journey.*.settle":         "commit",
	"journey.*.pose":           "issueChallenge",
	"journey.*.tick":           "setRemember",
	"journey.class":            "the authentication context class",
	"internal/journey/context": "acr",
	"self.Visit":               "PageRequest",

	"store.*.GiveBack":         "RefundAttempt",
	"store.*.Hit":              "Allow",
	"store.*.Spent":            "RetryAfter",
	"store.*.Wake":             "Notify",
	"store.*.CutOff":           "RevokeAllAccess",
	"store.*.EndPassingLock":   "EndTemporaryLock",
	"store.*.Fill":             "Import",
	"store.fill":               "importTable",
	"store.lite":               "sqlite",
	"store.moment":             "nullTime",
	"store.*.hear":             "receive",
	"store.*.turn":             "acquireWriter",
	"store.missing":            "notFound",
	"internal/store/cutoff":    "revoke",
	"internal/store/fill":      "import",
	"policy.Class":             "UserClass",
	"policy.*.Leave":           "EnrollmentPermit",
	"enroll.pend":              "createPending",
	"enroll.flood":             "throttleAlert",
	"enroll.redeem":            "consumeInvitation",
	"enroll.HandOut":           "Provision",
	"authenticator.whose":      "matchOwner",
	"directory.*.Judge":        "a name with passwordPolicy",
	"directory.*.fits":         "matches",
	"internal/directory/judge": "passwordpolicy",
	"internal/directory/known": "commonpasswords",
	"internal/directory/leave": "permit",

	"internal/authenticator/life": "lifecycle",
	"internal/authenticator/most": "limits",
	"internal/authenticator/own":  "selfservice",

	"static/authenticator/former":   "previousAccounts",
	"static/authenticator/lost":     "dataLoss",
	"static/authenticator/made":     "passcodeView",
	"static/authenticator/standing": "accountStatus",
	"static/authenticator/traces":   "presenceCookie",
}

// plainPhrases contain a banned word in its ordinary technical sense.
var plainPhrases = regexp.MustCompile(`(?i)\brandom walks?\b|\bMath\.floor\b`)

// An exception allows a word in files whose names begin with path: a stored,
// wire or documented value, or what must not be edited.
type exception struct{ path, word, reason string }

const released = "a migration is not edited once it may have run; its columns and values are stored"

var exceptions = []exception{
	{"docs/decisions/", "*", "decision records are superseded, never edited"},
	{"words_test.go", "*", "their examples"},
	{"internal/store/migrations/", "bell", released},
	{"internal/store/migrations/", "epoch", released},
	{"internal/store/migrations/", "pipush", released},
	{"internal/store/migrations/", "stranger", released},
	{"internal/store/migrations/", "walk", released},
}
