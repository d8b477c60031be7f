package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// proofLabel is the label of the key with which an installation proves what it is.
const proofLabel = "latchkey installation proof v1"

// An InstallationProof answers a challenge: the HMAC-SHA-256 of it and of what is
// peculiar to an installation, under a key derived from a root. Only who has keys and
// database of the installation can make it. That of a server whose database was copied
// to another differs, since a restore begins another generation.
type InstallationProof struct {
	Root int64  `json:"root"`
	MAC  []byte `json:"mac"`
}

// Prove answers a challenge under the newest root.
func (v InstallationReads) Prove(ctx context.Context, challenge string) (InstallationProof, error) {
	root := v.r.keys.ring.newest
	mac, err := v.proof(ctx, root, challenge)
	return InstallationProof{root, mac}, err
}

// Proves reports whether a proof is this installation's answer to a challenge.
func (v InstallationReads) Proves(ctx context.Context, challenge string, p InstallationProof) (bool, error) {
	if _, known := v.r.keys.ring.roots[p.Root]; !known {
		return false, nil
	}
	want, err := v.proof(ctx, p.Root, challenge)
	if err != nil {
		return false, err
	}
	return hmac.Equal(p.MAC, want), nil
}

func (v InstallationReads) proof(ctx context.Context, root int64, challenge string) ([]byte, error) {
	key, err := v.r.keys.ring.derive(root, proofLabel)
	if err != nil {
		return nil, err
	}
	// The key for Web Push is made at random for each installation, and a backup has it.
	public, _, err := v.r.VAPID().Public(ctx)
	if err != nil && !errors.Is(err, identity.NotFound) {
		return nil, err
	}
	generation, err := v.RestoreGeneration(ctx)
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, key)
	for _, part := range []string{string(public), fmt.Sprint(generation.Number, generation.BeganAt.Unix()), challenge} {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return h.Sum(nil), nil
}
