package authenticator

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"testing"
)

// The copied decoder is byte for byte the published one: nobody would review a
// change to it. Another version has another hash, that of the file in the npm
// package.
func TestDecoderIsAsPublished(t *testing.T) {
	const want = "bc40c8a15196236b2314db0856f72ca0b49980cd5413b8c852a7349f5fee0859"
	data, err := fs.ReadFile(Files, "scanner/jsqr/jsQR.js")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("jsQR 1.4.0 has SHA-256 %s, want %s", got, want)
	}
	if _, err := fs.Stat(Files, "scanner/jsqr/LICENSE"); err != nil {
		t.Errorf("its licence is missing: %v", err)
	}
}
