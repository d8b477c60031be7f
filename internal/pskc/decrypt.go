package pskc

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1" // #nosec G505 -- HMAC-SHA1 is RFC 6030's own
	"crypto/sha256"
	"crypto/sha512"
	"encoding/xml"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// Values of UnlockFunc's argument how: how the seeds of a file are encrypted.
const (
	ByKey        = "key"        // with a key that both sides have agreed on (section 6.1)
	ByPassphrase = "passphrase" // with a key derived from a passphrase (section 6.2)
)

// An UnlockFunc returns the secret that decrypts a file: a key of 16, 24 or 32
// bytes with ByKey, or a passphrase with ByPassphrase. name is the secret's name in
// the file.
type UnlockFunc func(how, name string) ([]byte, error)

// A decrypter authenticates and decrypts the encrypted values of a file.
type decrypter struct {
	key    []byte           // nil until EncryptionKey was read
	mac    func() hash.Hash // nil until MACMethod was read
	macKey []byte
}

// encryptionKey reads an EncryptionKey element and gets the key that it names.
func (l *decrypter) encryptionKey(d *xml.Decoder, element xml.StartElement, unlock UnlockFunc) error {
	var x struct {
		Name    *string `xml:"KeyName"`
		Derived *struct {
			Method struct {
				Algorithm string `xml:",attr"`
				Params    struct {
					Salt struct{ Specified string }
					// Bounded below: the sender of a file must not determine how long it is worked on.
					IterationCount int
					KeyLength      int
					PRF            struct {
						Algorithm string `xml:",attr"`
					}
				} `xml:"PBKDF2-params"`
			} `xml:"KeyDerivationMethod"`
			Name string `xml:"MasterKeyName"`
		} `xml:"DerivedKey"`
		Others []struct{ XMLName xml.Name } `xml:",any"`
	}
	if err := d.DecodeElement(&x, &element); err != nil {
		return err
	}
	switch {
	case x.Derived != nil:
		m := x.Derived.Method
		if !strings.HasSuffix(m.Algorithm, "#pbkdf2") {
			return fmt.Errorf("derives its key by %q; PBKDF2 can be used", m.Algorithm)
		}
		salt, err := decodeBase64(m.Params.Salt.Specified)
		if err != nil || len(salt) == 0 {
			return errors.New("the salt of the passphrase is missing or not base64")
		}
		prf, err := hmacByURI(m.Params.PRF.Algorithm, sha1.New)
		if err != nil {
			return err
		}
		if n := m.Params.IterationCount; n < 1 || n > maxIterations {
			return fmt.Errorf("wants %d rounds of PBKDF2; 1 to %d can be used", n, maxIterations)
		}
		if n := m.Params.KeyLength; n != 16 && n != 24 && n != 32 {
			return fmt.Errorf("derives a key of %d bytes; AES has 16, 24 or 32", n)
		}
		passphrase, err := unlock(ByPassphrase, normalizeSpace(x.Derived.Name))
		if err != nil {
			return err
		}
		l.key, err = pbkdf2.Key(prf, string(passphrase), salt, m.Params.IterationCount, m.Params.KeyLength)
		return err
	case x.Name != nil:
		var err error
		l.key, err = unlock(ByKey, normalizeSpace(*x.Name))
		return err
	case len(x.Others) > 0: // X509Data, EncryptedKey and so on (section 6.3)
		return fmt.Errorf("is encrypted to %s, an asymmetric key; ask for a file under a passphrase or a pre-shared key", x.Others[0].XMLName.Local)
	}
	return errors.New("names no key")
}

// macMethod reads how values are authenticated (section 6.1.1). If the element has
// no key of its own, the encryption key is used for the MAC.
func (l *decrypter) macMethod(d *xml.Decoder, element xml.StartElement) error {
	var x struct {
		Algorithm string     `xml:",attr"`
		Key       *encrypted `xml:"MACKey"`
		Reference *string    `xml:"MACKeyReference"`
	}
	if err := d.DecodeElement(&x, &element); err != nil {
		return err
	}
	if x.Reference != nil {
		return errors.New("its key is elsewhere (MACKeyReference), which cannot be used")
	}
	var err error
	if l.mac, err = hmacByURI(x.Algorithm, nil); err != nil {
		return err
	}
	if l.macKey = l.key; x.Key == nil {
		return nil
	}
	data, err := decodeBase64(x.Key.Value)
	if err != nil {
		return err
	}
	if l.macKey, err = x.Key.decrypt(l.key, data); err != nil {
		return fmt.Errorf("%w; is that the right key or passphrase?", err)
	}
	return nil
}

// hmacByURI returns the hash of the HMAC that a URI names.
func hmacByURI(algorithm string, byDefault func() hash.Hash) (func() hash.Hash, error) {
	switch _, name, _ := strings.Cut(algorithm, "#"); {
	case algorithm == "" && byDefault != nil:
		return byDefault, nil
	case name == "hmac-sha1":
		return sha1.New, nil
	case name == "hmac-sha256":
		return sha256.New, nil
	case name == "hmac-sha512":
		return sha512.New, nil
	}
	return nil, fmt.Errorf("the MAC algorithm %q is not known; HMAC with SHA-1, SHA-256 and SHA-512 can be used", algorithm)
}

// decrypt returns a value. An encrypted one is authenticated before it is
// decrypted. CBC without authentication lets an attacker who modifies the file
// change seeds by known differences, and errors about padding leak the plaintext.
func (l *decrypter) decrypt(v *value) ([]byte, error) {
	switch {
	case v == nil, v.Plain == nil && v.Encrypted == nil:
		return nil, errors.New("is missing")
	case v.Plain != nil:
		return decodeBase64(*v.Plain)
	}
	data, err := decodeBase64(v.Encrypted.Value)
	if err != nil {
		return nil, err
	}
	if l.mac == nil || normalizeSpace(v.MAC) == "" {
		return nil, errors.New("is encrypted without a MAC, so it may have been changed by anybody")
	}
	want, err := decodeBase64(v.MAC)
	if err != nil {
		return nil, fmt.Errorf("ValueMAC: %w", err)
	}
	h := hmac.New(l.mac, l.macKey)
	h.Write(data)
	if !hmac.Equal(h.Sum(nil), want) {
		return nil, errors.New("its MAC is wrong: it was changed, or the key or passphrase is another")
	}
	return v.Encrypted.decrypt(l.key, data)
}

// encrypted is an EncryptedData element of XML Encryption.
type encrypted struct {
	Method struct {
		Algorithm string `xml:",attr"`
	} `xml:"EncryptionMethod"`
	Value string `xml:"CipherData>CipherValue"`
}

// keySizes has the supported ciphers and their key sizes in bytes.
var keySizes = map[string]int{
	"http://www.w3.org/2001/04/xmlenc#aes128-cbc": 16,
	"http://www.w3.org/2001/04/xmlenc#aes192-cbc": 24,
	"http://www.w3.org/2001/04/xmlenc#aes256-cbc": 32,
}

// decrypt decrypts data that begin with their initialisation vector (XML
// Encryption, section 5.2).
func (e encrypted) decrypt(key, data []byte) ([]byte, error) {
	size, known := keySizes[e.Method.Algorithm]
	switch {
	case !known:
		return nil, fmt.Errorf("is encrypted by %q; AES in CBC mode can be used", e.Method.Algorithm)
	case key == nil:
		return nil, errors.New("is encrypted, and the file does not say under which key")
	case len(key) != size:
		return nil, fmt.Errorf("the key has %d bytes, not the %d that its cipher wants", len(key), size)
	case len(data) < 2*aes.BlockSize || len(data)%aes.BlockSize != 0:
		return nil, fmt.Errorf("is encrypted in %d bytes, which are no whole blocks", len(data))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(data)-aes.BlockSize)
	cipher.NewCBCDecrypter(block, data[:aes.BlockSize]).CryptBlocks(plain, data[aes.BlockSize:])
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > aes.BlockSize {
		return nil, errors.New("cannot be decrypted")
	}
	return plain[:len(plain)-padding], nil
}
