package backup

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/latchkey-id/latchkey/internal/store"
)

// A Manifest describes the content of a backup.
type Manifest struct {
	MadeAt   time.Time     `json:"made_at"`
	BaseURL  string        `json:"base_url"`
	Database string        `json:"database"` // "sqlite" or "postgres"
	Schema   int64         `json:"schema"`   // number of the newest migration
	Applied  []int64       `json:"applied"`  // all migrations; not in a backup of an earlier release
	Least    int64         `json:"least"`    // oldest release that may open it
	Files    []File        `json:"files"`
	Tables   []store.Table `json:"tables"`
	// Outside lists files that the configuration names but that are outside its folder. They are
	// not in the backup.
	Outside []string `json:"outside,omitempty"`
}

// Rows returns the number of rows of all tables.
func (m Manifest) Rows() (n int64) {
	for _, t := range m.Tables {
		n += t.Rows
	}
	return n
}

// A File is a file in a backup.
type File struct {
	Name string `json:"name"` // relative to the folder; empty for the keys
	Size int64  `json:"size"`
}

// Limits of what is read, in bytes. A backup is authentic if the passphrase is right, but a
// mistake in one must not exhaust the memory.
const (
	maxManifest = 4 << 20
	maxFile     = 4 << 20
	maxValue    = 64 << 20
)

func writeManifest(w io.Writer, m Manifest) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	return err
}

func readManifest(r io.Reader) (m Manifest, err error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return m, unexpectedEOF(err)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxManifest {
		return m, fmt.Errorf("its manifest has %d bytes", n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return m, unexpectedEOF(err)
	}
	return m, json.Unmarshal(text, &m)
}

// unexpectedEOF converts io.EOF, which comes too early, into io.ErrUnexpectedEOF.
func unexpectedEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// appendRow appends the encoded values of a row to b.
func appendRow(b []byte, row []any) ([]byte, error) {
	for _, v := range row {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case int64:
			b = binary.AppendVarint(append(b, 'i'), v)
		case string:
			b = append(binary.AppendUvarint(append(b, 't'), uint64(len(v))), v...)
		case []byte:
			b = append(binary.AppendUvarint(append(b, 'b'), uint64(len(v))), v...)
		default:
			return nil, fmt.Errorf("a value of type %T", v)
		}
	}
	return b, nil
}

// readRow reads the values of a row.
func readRow(r *bufio.Reader, row []any) error {
	for i := range row {
		kind, err := r.ReadByte()
		if err != nil {
			return unexpectedEOF(err)
		}
		switch kind {
		case 'n':
			row[i] = nil
		case 'i':
			if row[i], err = binary.ReadVarint(r); err != nil {
				return unexpectedEOF(err)
			}
		case 't', 'b':
			n, err := binary.ReadUvarint(r)
			if err != nil {
				return unexpectedEOF(err)
			}
			if n > maxValue {
				return fmt.Errorf("a value of %d bytes", n)
			}
			value := make([]byte, n)
			if _, err := io.ReadFull(r, value); err != nil {
				return unexpectedEOF(err)
			}
			if row[i] = value; kind == 't' {
				row[i] = string(value)
			}
		default:
			return fmt.Errorf("a value of kind %q", kind)
		}
	}
	return nil
}
