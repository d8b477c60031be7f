package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

// A passkey signs as a platform authenticator does, for one user of one relying
// party, and is also the browser around it.
type passkey struct {
	private        *ecdsa.PrivateKey
	id             []byte
	rp, origin     string
	user           string
	signatureCount uint32
}

// Flags of authenticator data (WebAuthn, section 6.1): user present and verified,
// may be backed up, attested credential data included.
const (
	passkeyFlags    byte = 0x01 | 0x04 | 0x08
	passkeyAttested byte = 0x40
)

func newPasskey(rp, origin, user string) (*passkey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	k := &passkey{private: private, id: make([]byte, 32), rp: rp, origin: origin, user: user}
	_, err = rand.Read(k.id)
	return k, err
}

// authenticatorData is what is signed, besides the client's data (WebAuthn,
// section 6.1).
func (k *passkey) authenticatorData(flags byte, more ...byte) []byte {
	rp := sha256.Sum256([]byte(k.rp))
	return append(binary.BigEndian.AppendUint32(append(rp[:], flags), k.signatureCount), more...)
}

// response is a PublicKeyCredential as JSON, around what create and sign return.
func (k *passkey) response(kind, challenge string, fill func(client []byte) (map[string]any, error)) ([]byte, error) {
	client, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": k.origin, "crossOrigin": false})
	if err != nil {
		return nil, err
	}
	response, err := fill(client)
	if err != nil {
		return nil, err
	}
	response["clientDataJSON"] = base64.RawURLEncoding.EncodeToString(client)
	id := base64.RawURLEncoding.EncodeToString(k.id)
	return json.Marshal(map[string]any{"id": id, "rawId": id, "type": "public-key", "clientExtensionResults": map[string]any{}, "response": response})
}

// create is what navigator.credentials.create returns, without attestation.
func (k *passkey) create(challenge string) ([]byte, error) {
	return k.response("webauthn.create", challenge, func([]byte) (map[string]any, error) {
		point, err := k.private.PublicKey.Bytes() // 4, x, y (SEC 1, 2.3.3)
		if err != nil {
			return nil, err
		}
		cose, err := webauthncbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
		if err != nil {
			return nil, err
		}
		credential := slices.Concat(make([]byte, 16), binary.BigEndian.AppendUint16(nil, uint16(len(k.id))), k.id, cose)
		object, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": k.authenticatorData(passkeyFlags|passkeyAttested, credential...)})
		return map[string]any{"attestationObject": base64.RawURLEncoding.EncodeToString(object), "transports": []string{"internal"}}, err
	})
}

// sign is what a page that asks for a passkey gets from navigator.credentials.get.
func (k *passkey) sign(at page) (string, error) {
	_, after, found := strings.Cut(at.body, `data-passkey="`)
	text, _, _ := strings.Cut(after, `"`)
	if !found {
		return "", fmt.Errorf("%s asks for no passkey", at.path)
	}
	var asked struct {
		Challenge string `json:"challenge"`
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(text)), &asked); err != nil {
		return "", err
	}
	signed, err := k.response("webauthn.get", asked.Challenge, func(client []byte) (map[string]any, error) {
		k.signatureCount++
		data, hash := k.authenticatorData(passkeyFlags), sha256.Sum256(client)
		digest := sha256.Sum256(slices.Concat(data, hash[:]))
		signature, err := ecdsa.SignASN1(rand.Reader, k.private, digest[:])
		return map[string]any{"authenticatorData": base64.RawURLEncoding.EncodeToString(data),
			"signature":  base64.RawURLEncoding.EncodeToString(signature),
			"userHandle": base64.RawURLEncoding.EncodeToString([]byte(k.user))}, err
	})
	return string(signed), err
}
