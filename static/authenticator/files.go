// Package authenticator holds the files of the web authenticator: the
// authenticator app that runs in any browser and needs no store.
//
// It is plain ES modules, used as they are written: main.js begins, protocol.js
// speaks docs/protocol-authenticator.md, vault.js keeps the keys, passcode.js
// makes passcodes, doorbell.js listens, and request.js, activate.js and
// account.js are what is seen. Nothing is built, nothing comes from elsewhere,
// and the page's policy forbids whatever turns text into markup or code.
//
// The private key and the seed are keys of the browser that cannot be
// exported: a script that got in, from an extension say, could use them while
// the page is open, but not carry them away.
package authenticator

import "embed"

// Page is the page that everything else hangs on, a template.
//
//go:embed index.html
var Page string

// Files are the modules and the style sheet.
//
//go:embed *.js *.css
var Files embed.FS
