// Package authenticator holds the files of the web authenticator: the
// authenticator app that runs in any browser and needs no store.
//
// It is plain ES modules, served as they are written but for their comments:
// main.js begins, protocol.js speaks docs/protocol-authenticator.md, vault.js
// keeps the keys, passcode.js makes passcodes and responses, wrap.js keeps seeds under a PIN,
// doorbell.js listens, camera.js scans, and request.js, add.js, activate.js,
// pin.js and account.js are what is seen. Nothing is built, nothing comes from
// elsewhere, and the page's policy forbids whatever turns text into markup or
// code. What lies in scanner, a decoder of QR codes copied in from npm among it
// (docs/decisions/0014), is fetched when somebody scans, and not before.
//
// worker.js is the service worker, by which the app opens without a network and
// shows notifications while it is closed. sw.js, which begins it, is written by
// package enroll: it names the version and its files.
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

// Files are the modules, the style sheet, what scanning needs, and the icons:
// favicon.svg's mark, for an installed app on a round or square ground, and for
// a notification.
//
//go:embed *.js *.css *.png scanner
var Files embed.FS

// Background are the modules that the service worker alone runs.
var Background = []string{"worker.js", "offline.js", "notification.js"}
