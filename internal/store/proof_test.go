package store

import (
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// An installation knows its own answer, by every root it has. Other keys, another
// challenge, another database with the same keys, and a copy of this one that began
// another restore generation give other answers. Without each of the parts in the MAC one
// of these is taken.
func TestInstallationProof(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		prove := func(of Reader, challenge string) InstallationProof {
			t.Helper()
			p, err := of.Installation().Prove(ctx, challenge)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		expect := func(what string, p InstallationProof, challenge string, want bool) {
			t.Helper()
			if got, err := db.Installation().Proves(ctx, challenge, p); err != nil || got != want {
				t.Errorf("%s: %t, %v, want %t", what, got, err, want)
			}
		}
		if err := db.Migrate(ctx); err != nil { // makes what an installation has one of
			t.Fatal(err)
		}
		p := prove(db.Reader, "challenge")
		expect("its own", p, "challenge", true)
		expect("another challenge", p, "challengf", false)
		expect("an unknown root", InstallationProof{Root: 99, MAC: p.MAC}, "challenge", false)
		expect("nothing", InstallationProof{Root: p.Root}, "challenge", false)

		other := db.Reader
		other.keys = newKeys(NewKeyring())
		expect("other keys", prove(other, "challenge"), "challenge", false)

		db.keys.ring.Add()
		expect("an older root", p, "challenge", true)
		for what, statement := range map[string]string{
			"another generation":   `INSERT INTO epochs (number, began_at, copied_at) VALUES (1, 1000, 900)`,
			"another key for push": `UPDATE vapid_keys SET public = '\x00'`,
		} {
			before := prove(db.Reader, "challenge")
			err := db.InTx(ctx, identity.Principal{}, func(tx *Tx) error {
				_, err := tx.exec(ctx, "change", statement)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			expect(what, before, "challenge", false)
		}
	})
}
