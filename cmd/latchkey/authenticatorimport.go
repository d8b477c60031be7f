package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/pskc"
	"github.com/latchkey-id/latchkey/internal/store"
)

type authenticatorImport struct {
	File    string `arg:"" help:"The file of the tokens' maker."`
	Format  string `enum:",pskc,csv" default:"" placeholder:"pskc|csv" help:"What it is: pskc (RFC 6030) or csv. Default: by its name, else pskc."`
	KeyFile string `placeholder:"FILE" help:"The key it is encrypted under: 16, 24 or 32 bytes, as they are or in hexadecimal."`
	DryRun  bool   `help:"Import nothing; say what is wrong, token by token."`
}

func (authenticatorImport) Help() string {
	return fmt.Sprintf(`The tokens belong to nobody until "latchkey authenticator assign" gives them to somebody, unless the file names their users. The file is looked at as a whole before anything is imported; if anything in it is wrong, nothing is. Tokens whose serials are there already are left alone and told.

A PSKC file may be encrypted under a key (--key-file) or a passphrase, which is asked for, or read as the first line of standard input. The header of a CSV file names its columns, as here or as Microsoft Entra, Token2, Deepnet and privacyIDEA call them: %s; serial and seed must be there, the seed in hexadecimal or Base32. Other columns are passed over, and told. privacyIDEA's files without a header are read too. Comma, semicolon and tab separate.

Tokens are added in batches, so that logins go on meanwhile.

Examples:

    latchkey authenticator import tokens.pskc --dry-run

    latchkey authenticator import tokens.csv`, strings.Join(pskc.Columns, ", "))
}

// importedRow is what came of an import.
type importedRow struct {
	Tokens   int      `json:"tokens"` // in the file
	Imported int      `json:"imported"`
	Known    []string `json:"known,omitempty"` // serials that are there already
	// PassedOver are columns of a CSV file that say nothing about passcodes.
	PassedOver []string `json:"passed_over,omitempty"`
}

// Run imports hardware tokens.
func (c *authenticatorImport) Run(ctx context.Context, s *shell) error {
	data, err := s.readFile(c.File, pskc.MaxSize+1)
	if err != nil {
		return err
	}
	keys, passedOver, err := c.read(ctx, s, data)
	if err != nil {
		return err
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		fresh, known, err := authenticator.Importable(ctx, ts.db, ts.tenant.ID, keys)
		if err != nil {
			return err
		}
		there := ""
		if len(known) > 0 {
			there = fmt.Sprintf("; there already: %s", strings.Join(known, ", "))
		}
		if len(passedOver) > 0 {
			there += fmt.Sprintf("; columns passed over: %s", printable(strings.Join(passedOver, ", ")))
		}
		if c.DryRun {
			return s.print(importedRow{len(keys), 0, known, passedOver}, "%d of %d tokens can be imported%s.", len(fresh), len(keys), there)
		}
		tell, end := s.progress("Importing")
		n, err := authenticator.Import(ctx, ts.db, ts.who, ts.tenant.ID, fresh, func(n int) { tell(int64(n), int64(len(fresh))) })
		end()
		if err != nil {
			return fmt.Errorf("%d of %d tokens were imported; do it again, and it goes on from there: %s", n, len(fresh), errorLines(err)[0])
		}
		return s.print(importedRow{len(keys), n, known, passedOver}, "Imported %d of %d tokens%s.", n, len(keys), there)
	})
}

// read reads the tokens of the file, and asks for what opens it if it is
// encrypted.
func (c *authenticatorImport) read(ctx context.Context, s *shell, data []byte) (keys []pskc.Key, passedOver []string, err error) {
	if c.Format == "csv" || c.Format == "" && strings.EqualFold(filepath.Ext(c.File), ".csv") {
		return pskc.ReadCSV(data)
	}
	keys, err = pskc.ReadPSKC(data, func(how, name string) ([]byte, error) {
		switch {
		case how == pskc.ByPassphrase && (c.File == "-" || c.KeyFile != ""):
			return nil, errors.New("is under a passphrase, not a key: name the file, and give the passphrase on standard input")
		case how == pskc.ByPassphrase:
			return s.askFilePassphrase(ctx, name)
		case c.KeyFile == "":
			return nil, fmt.Errorf("is under the key %q: name the file that holds it by --key-file", name)
		}
		return s.readAESKey(c.KeyFile)
	})
	return keys, nil, err
}

// readAESKey reads a key of AES from a file, as it is or in hexadecimal.
func (s *shell) readAESKey(file string) ([]byte, error) {
	key, err := s.readFile(file, maxLine)
	if err != nil {
		return nil, err
	}
	if decoded, err := hex.DecodeString(string(bytes.TrimSpace(key))); err == nil {
		key = decoded
	}
	if n := len(key); n != 16 && n != 24 && n != 32 {
		return nil, fmt.Errorf("%s has %d bytes; a key has 16, 24 or 32, as they are or in hexadecimal", file, n)
	}
	return key, nil
}

// askFilePassphrase asks for the passphrase of a file without showing it or, if there
// is no terminal, takes the first line of standard input.
func (s *shell) askFilePassphrase(ctx context.Context, name string) ([]byte, error) {
	if f, ok := s.terminal(); ok {
		typed, err := s.prompt(ctx, f, fmt.Sprintf("Passphrase of the file (%s): ", printable(name)))
		return []byte(typed), err
	}
	data, err := s.readFile("-", maxLine)
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
		return nil, errors.New("is under a passphrase, and standard input has none")
	}
	return line, nil
}

type authenticatorAssign struct {
	Serial   string `arg:"" help:"Its serial."`
	User     string `arg:"" help:"Whom it is for."`
	Passcode string `placeholder:"CODE" help:"What the token shows now: it proves that this is the one, and sets its clock or counter."`
}

func (authenticatorAssign) Help() string {
	return `The token must have been imported, and nobody may have it, unless policy lets tokens be shared ("policy set credentials --shared"). The user is told by mail.

Examples:

    latchkey authenticator assign 1000133508267 anna

    latchkey authenticator assign 1000133508267 anna --passcode 755224`
}

// Run gives a hardware token to a user.
func (c *authenticatorAssign) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		u, err := ts.user(ctx, c.User)
		if err != nil {
			return err
		}
		return s.changeAuthenticator(ctx, c.Serial, "now "+u.Name+"'s", func(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
			return authenticator.Assign(ctx, tx, a, u, c.Passcode)
		})
	})
}

type authenticatorUnassign struct {
	Serial string `arg:"" help:"Its serial."`
	User   string `placeholder:"NAME" help:"From whom; others who share it keep it. Default: from all."`
}

func (authenticatorUnassign) Help() string {
	return `The token is nobody's afterwards and can be given to somebody else. Its counter stays, so no passcode works twice. What people set up in an app cannot be handed on: revoke it.

Example:

    latchkey authenticator unassign 1000133508267`
}

// Run takes a hardware token from its user.
func (c *authenticatorUnassign) Run(ctx context.Context, s *shell) error {
	if c.User == "" {
		return s.changeAuthenticator(ctx, c.Serial, "nobody's", authenticator.Unassign)
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		u, err := ts.user(ctx, c.User)
		if err != nil {
			return err
		}
		return s.changeAuthenticator(ctx, c.Serial, "no longer "+u.Name+"'s", func(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
			return authenticator.UnassignFrom(ctx, tx, a, u)
		})
	})
}
