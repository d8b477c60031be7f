package authenticator

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"testing"
)

// What is copied in is what was published, byte for byte: a change to it would
// be nobody's to review. Another version comes with another hash, that of the
// file in the package that npm has.
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
		t.Errorf("its licence goes where it goes: %v", err)
	}
}
