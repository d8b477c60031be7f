package backup

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"testing"
)

// lowCost makes key derivation fast, for tests of everything else.
var lowCost = kdfCost{passes: 1, memory: 64, lanes: 1}

const passphrase = "correct horse battery staple"

func sealed(t *testing.T, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := seal(&b, passphrase, lowCost)
	if err != nil {
		t.Fatal(err)
	}
	// In pieces, so that the boundaries of writes and chunks differ.
	for piece := range slices.Chunk(plain, 1000) {
		if _, err := w.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func opened(file []byte, passphrase string) ([]byte, error) {
	r, err := open(bytes.NewReader(file), passphrase)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func TestSeal(t *testing.T) {
	for _, n := range []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 2 * chunkSize, 3*chunkSize + 7} {
		plain := noise(n)
		file := sealed(t, plain)
		got, err := opened(file, passphrase)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %d came back, %v", n, len(got), err)
		}
		if n > 16 && bytes.Contains(file, plain[:16]) {
			t.Errorf("%d bytes stand in the file in clear", n)
		}
	}
	if a, b := sealed(t, nil), sealed(t, nil); bytes.Equal(a, b) {
		t.Error("two files of one content are the same")
	}
}

// Different encodings of the same letter in a passphrase are equal.
func TestSeal_Normalised(t *testing.T) {
	var b bytes.Buffer
	w, err := seal(&b, "scho\u0308ne Gru\u0308\u00dfe", lowCost)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := opened(b.Bytes(), "sch\u00f6ne Gr\u00fc\u00dfe"); err != nil {
		t.Error(err)
	}
}

func TestOpen_WrongPassphrase(t *testing.T) {
	file := sealed(t, noise(10))
	for _, wrong := range []string{"", passphrase + " ", "Correct horse battery staple"} {
		if _, err := opened(file, wrong); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%q: %v, want ErrPassphrase", wrong, err)
		}
	}
}

func TestOpen_NoBackup(t *testing.T) {
	for _, file := range [][]byte{nil, []byte("x"), []byte(magic), noise(1000), []byte("SQLite format 3\x00" + string(noise(500)))} {
		if _, err := opened(file, passphrase); !errors.Is(err, ErrNoBackup) {
			t.Errorf("%d bytes: %v, want ErrNoBackup", len(file), err)
		}
	}
}

// A flipped bit is detected wherever it is: in every byte of the header and of the boundaries of
// the chunks, and in some others.
func TestOpen_Flipped(t *testing.T) {
	file := sealed(t, noise(2*chunkSize+100))
	const body = headerSize + macSize
	for at := range file {
		inChunk := (at - body) % (chunkSize + 16)
		if at > body+64 && inChunk > 32 && inChunk < chunkSize-16 && at%4001 != 0 && at < len(file)-150 {
			continue
		}
		changed := slices.Clone(file)
		changed[at] ^= 1 << (at % 8)
		if _, err := opened(changed, passphrase); err == nil {
			t.Fatalf("byte %d of %d was changed, and nobody noticed", at, len(file))
		}
	}
}

// The parameters in a header are limited before it is authenticated: terabytes are refused at once.
func TestOpen_Cost(t *testing.T) {
	for name, change := range map[string]func(header []byte){
		"memory": func(h []byte) { h[len(magic)+4] = 0xff },
		"passes": func(h []byte) { h[len(magic)] = 0xff },
		"lanes":  func(h []byte) { h[len(magic)+8] = 0xff },
		"none":   func(h []byte) { clear(h[len(magic) : len(magic)+9]) },
	} {
		file := sealed(t, nil)
		change(file)
		if _, err := opened(file, passphrase); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %v, want ErrChanged", name, err)
		}
	}
}

// Chunks that are truncated at a boundary, moved, repeated, removed or from another file are
// refused.
func TestOpen_Chunks(t *testing.T) {
	const body = headerSize + macSize
	chunks := func(file []byte) [][]byte { return slices.Collect(slices.Chunk(file[body:], chunkSize+16)) }
	file := sealed(t, noise(3*chunkSize))
	head, c := file[:body], chunks(file)
	other := chunks(sealed(t, noise(3*chunkSize)))
	if len(c) != 3 {
		t.Fatalf("%d chunks, want 3", len(c))
	}
	for name, parts := range map[string][][]byte{
		"nothing":         {},
		"one of three":    {c[0]},
		"two of three":    {c[0], c[1]},
		"within a chunk":  {c[0], c[1], c[2][:chunkSize]},
		"in a tag":        {c[0], c[1], c[2][:chunkSize+15]},
		"first left out":  {c[1], c[2]},
		"second left out": {c[0], c[2]},
		"two exchanged":   {c[1], c[0], c[2]},
		"last repeated":   {c[0], c[1], c[2], c[2]},
		"first repeated":  {c[0], c[0], c[1], c[2]},
		"another file's":  {c[0], other[1], c[2]},
		"something after": {c[0], c[1], c[2], {0}},
	} {
		if _, err := opened(slices.Concat(append([][]byte{head}, parts...)...), passphrase); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %v, want ErrChanged", name, err)
		}
	}
	if _, err := opened(file, passphrase); err != nil {
		t.Errorf("as it was: %v", err)
	}
}

// Each content has one encoding: an additional empty chunk at the end is refused.
func TestOpen_EmptyLastChunk(t *testing.T) {
	var b bytes.Buffer
	w, err := seal(&b, passphrase, lowCost)
	if err != nil {
		t.Fatal(err)
	}
	s := w.(*sealer)
	s.plain = append(s.plain, noise(chunkSize)...)
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	s.nonce.next()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := opened(b.Bytes(), passphrase); !errors.Is(err, ErrChanged) {
		t.Errorf("%v, want ErrChanged", err)
	}
}

// A failed write is an error, never a shorter file.
func TestSeal_Full(t *testing.T) {
	for _, room := range []int{0, 10, headerSize + macSize, headerSize + macSize + chunkSize} {
		w, err := seal(&full{room}, passphrase, lowCost)
		if err == nil {
			if _, err = w.Write(noise(2 * chunkSize)); err == nil {
				err = w.Close()
			}
		}
		if err == nil {
			t.Errorf("with room for %d bytes: no error", room)
		}
	}
}

type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

func FuzzOpen(f *testing.F) {
	var b bytes.Buffer
	w, err := seal(&b, passphrase, lowCost)
	if err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(magic))
	whole := b.Bytes()
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > len(magic)+4 && file[len(magic)+4] > 0 {
			t.Skip() // much memory
		}
		if _, err := opened(file, passphrase); err == nil && !bytes.Equal(file, whole) {
			t.Errorf("%x opens", file)
		}
	})
}
