package backup

import (
	"bufio"
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/text/unicode/norm"
)

// An encrypted file is a header followed by chunks.
//
// The header is a line that identifies the format, the parameters of argon2id (RFC 9106: passes,
// memory in KiB, lanes), a salt, and an HMAC of all these, which distinguishes a wrong passphrase
// from a modified file.
//
// The chunks are the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizár, 2015) as used by
// age: ChaCha20-Poly1305 under a key of this file only, with the chunk's number and whether it is
// the last one as the nonce. Therefore no chunk can be modified, removed, repeated, moved, or taken
// from another file, and the last one cannot be missing.
const (
	magic      = "latchkey backup 1\n"
	saltSize   = 16
	headerSize = len(magic) + 4 + 4 + 1 + saltSize
	macSize    = sha256.Size
	chunkSize  = 64 << 10
)

// kdfCost has the parameters of argon2id, which determine the cost of trying a passphrase.
type kdfCost struct {
	passes uint32
	memory uint32 // KiB
	lanes  uint8
}

// defaultCost is the second recommended option of RFC 9106, section 4, for machines that cannot
// use the 2 GiB of the first one.
var defaultCost = kdfCost{passes: 3, memory: 64 << 10, lanes: 4}

// maxCost limits the parameters in a header. The author of a file must not determine how much
// memory a restore takes.
var maxCost = kdfCost{passes: 16, memory: 1 << 20, lanes: 16}

// Reasons to refuse a file.
var (
	ErrNoBackup   = errors.New("this is no backup made by latchkey")
	ErrPassphrase = errors.New("the passphrase is wrong, or the first bytes of the file were changed")
	ErrChanged    = errors.New("the file was changed after it was made, or its end is missing")
)

// deriveKeys derives the keys of the header and of the chunks from the passphrase.
func deriveKeys(passphrase string, c kdfCost, salt []byte) (header, payload []byte, err error) {
	secret := argon2.IDKey([]byte(norm.NFC.String(passphrase)), salt, c.passes, c.memory, c.lanes, 32)
	if header, err = hkdf.Key(sha256.New, secret, nil, "latchkey backup header", 32); err != nil {
		return nil, nil, err
	}
	payload, err = hkdf.Key(sha256.New, secret, nil, "latchkey backup payload", chacha20poly1305.KeySize)
	return header, payload, err
}

func headerMAC(key, header []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(header)
	return h.Sum(nil)
}

// A nonce numbers the chunks of a file: 88 bits for the number, and one byte that is 1 for the
// last chunk.
type nonce [chacha20poly1305.NonceSize]byte

func (n *nonce) next() { binary.BigEndian.PutUint64(n[3:11], binary.BigEndian.Uint64(n[3:11])+1) }

func (n *nonce) last() { n[11] = 1 }

// A sealer encrypts what is written to it.
type sealer struct {
	to    io.Writer
	aead  cipher.AEAD
	nonce nonce
	plain []byte // content of the present chunk
	out   []byte
}

// seal begins an encrypted file. The file is complete when the returned writer is closed, which
// does not close to.
func seal(to io.Writer, passphrase string, c kdfCost) (io.WriteCloser, error) {
	header := []byte(magic)
	header = binary.BigEndian.AppendUint32(header, c.passes)
	header = binary.BigEndian.AppendUint32(header, c.memory)
	header = append(header, c.lanes)
	salt := make([]byte, saltSize)
	rand.Read(salt)
	header = append(header, salt...)
	macKey, payloadKey, err := deriveKeys(passphrase, c, salt)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.New(payloadKey)
	if err != nil {
		return nil, err
	}
	if _, err := to.Write(append(header, headerMAC(macKey, header)...)); err != nil {
		return nil, err
	}
	return &sealer{to: to, aead: aead, plain: make([]byte, 0, chunkSize)}, nil
}

func (s *sealer) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		// A full chunk is kept until there is more, because it may be the last one.
		if len(s.plain) == chunkSize {
			if err := s.flush(); err != nil {
				return 0, err
			}
			s.nonce.next()
		}
		n := min(len(p), chunkSize-len(s.plain))
		s.plain = append(s.plain, p[:n]...)
		p = p[n:]
	}
	return written, nil
}

func (s *sealer) flush() error {
	s.out = s.aead.Seal(s.out[:0], s.nonce[:], s.plain, nil)
	s.plain = s.plain[:0]
	_, err := s.to.Write(s.out)
	return err
}

// Close writes the last chunk.
func (s *sealer) Close() error {
	s.nonce.last()
	return s.flush()
}

// An opener decrypts what a sealer wrote. It never returns data of a modified chunk, or io.EOF
// before the last chunk.
type opener struct {
	from  *bufio.Reader
	aead  cipher.AEAD
	nonce nonce
	chunk []byte
	plain []byte // decrypted but not returned yet
	first bool
	err   error
}

// open reads the header of an encrypted file and returns a reader of its content.
func open(from io.Reader, passphrase string) (io.Reader, error) {
	r := bufio.NewReaderSize(from, chunkSize)
	header := make([]byte, headerSize+macSize)
	if _, err := io.ReadFull(r, header); err != nil || !bytes.HasPrefix(header, []byte(magic)) {
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
		return nil, ErrNoBackup
	}
	header, mac := header[:headerSize], header[headerSize:]
	at := header[len(magic):]
	c := kdfCost{passes: binary.BigEndian.Uint32(at), memory: binary.BigEndian.Uint32(at[4:]), lanes: at[8]}
	if c.passes < 1 || c.memory < 8*uint32(c.lanes) || c.lanes < 1 || c.passes > maxCost.passes || c.memory > maxCost.memory || c.lanes > maxCost.lanes {
		return nil, fmt.Errorf("its passphrase is asked to cost %d passes over %d KiB: %w", c.passes, c.memory, ErrChanged)
	}
	macKey, payloadKey, err := deriveKeys(passphrase, c, at[9:])
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(mac, headerMAC(macKey, header)) {
		return nil, ErrPassphrase
	}
	aead, err := chacha20poly1305.New(payloadKey)
	if err != nil {
		return nil, err
	}
	return &opener{from: r, aead: aead, chunk: make([]byte, chunkSize+chacha20poly1305.Overhead), first: true}, nil
}

func (o *opener) Read(p []byte) (int, error) {
	for len(o.plain) == 0 && o.err == nil {
		o.plain, o.err = o.next()
	}
	n := copy(p, o.plain)
	o.plain = o.plain[n:]
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, o.err
}

// next decrypts a chunk. It returns the last one together with io.EOF.
func (o *opener) next() ([]byte, error) {
	n, err := io.ReadFull(o.from, o.chunk)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	var end error
	if _, err := o.from.Peek(1); errors.Is(err, io.EOF) {
		end = io.EOF
		o.nonce.last()
	} else if err != nil {
		return nil, err
	}
	plain, err := o.aead.Open(o.chunk[:0], o.nonce[:], o.chunk[:n], nil)
	// The last chunk is empty only in an empty file, so that each content has one encoding.
	if err != nil || len(plain) == 0 && !o.first {
		return nil, ErrChanged
	}
	o.nonce.next()
	o.first = false
	return plain, end
}
