package webpush

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
)

// Sizes of an encrypted message in bytes (RFC 8188, section 2.1; RFC 8291, section
// 4). It consists of a header with salt, record size and the sender's public key,
// and one record with the message, a delimiter, padding and a tag. Push services
// accept 4096 bytes in total.
const (
	recordSize = 4096
	saltSize   = 16
	pointSize  = 65 // an uncompressed point of P-256
	tagSize    = 16
	headerSize = saltSize + 4 + 1 + pointSize

	// MaxMessage is the maximum size of a message in bytes.
	MaxMessage = recordSize - headerSize - tagSize - 1
	// paddingUnit is the unit that messages are padded to multiples of. Without
	// padding, the length could tell a push service which application a user logs
	// in to.
	paddingUnit = 512
)

// Encrypt encrypts a message for the subscription. The result is the body of a
// request with Content-Encoding aes128gcm. Each message has its own key pair and
// salt.
func (s Subscription) Encrypt(message []byte) ([]byte, error) {
	ours, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	salt := make([]byte, saltSize)
	rand.Read(salt)
	padded := (len(message)/paddingUnit + 1) * paddingUnit
	return s.encrypt(message, min(padded, MaxMessage)-len(message), ours, salt)
}

// encrypt implements RFC 8291, section 3.4, with given padding, key and salt.
func (s Subscription) encrypt(message []byte, padding int, ours *ecdh.PrivateKey, salt []byte) ([]byte, error) {
	if len(message) > MaxMessage {
		return nil, fmt.Errorf("webpush: a message of %d bytes, %d is the most", len(message), MaxMessage)
	}
	theirs, err := ecdh.P256().NewPublicKey(s.P256DH)
	if err != nil {
		return nil, fmt.Errorf("webpush: key of the subscription: %w", err)
	}
	secret, err := ours.ECDH(theirs)
	if err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	point := ours.PublicKey().Bytes()
	input, err := hkdf.Key(sha256.New, secret, s.Auth, "WebPush: info\x00"+string(s.P256DH)+string(point), sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	seal, nonce, err := contentKey(input, salt)
	if err != nil {
		return nil, err
	}
	out := binary.BigEndian.AppendUint32(slices.Clone(salt), recordSize)
	out = append(out, pointSize)
	out = append(out, point...)
	record := append(slices.Clone(message), 2) // the delimiter of the last record
	record = append(record, make([]byte, padding)...)
	return seal.Seal(out, nonce, record, nil), nil
}

// contentKey derives the key and the nonce of the record (RFC 8188, sections 2.2
// and 2.3).
func contentKey(input, salt []byte) (cipher.AEAD, []byte, error) {
	prk, err := hkdf.Extract(sha256.New, input, salt)
	if err != nil {
		return nil, nil, fmt.Errorf("webpush: %w", err)
	}
	key, err := hkdf.Expand(sha256.New, prk, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, nil, fmt.Errorf("webpush: %w", err)
	}
	nonce, err := hkdf.Expand(sha256.New, prk, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, nil, fmt.Errorf("webpush: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, fmt.Errorf("webpush: %w", err)
	}
	seal, err := cipher.NewGCM(block)
	return seal, nonce, err
}
