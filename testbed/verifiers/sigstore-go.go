// Verifies one Sigstore bundle with the library sigstore-go, by a key, with neither a log nor a timestamp. The library's own
// example demands a timestamp, and a release has none.
//
//	sigstore-go KEY DIGEST BUNDLE
//
// KEY is a PEM file, DIGEST the image's SHA-256 in hexadecimal.
package main

import (
	"crypto"
	"encoding/hex"
	"fmt"
	"os"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 4 {
		return fmt.Errorf("usage: %s KEY DIGEST BUNDLE", os.Args[0])
	}
	pem, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	public, err := cryptoutils.UnmarshalPEMToPublicKey(pem)
	if err != nil {
		return err
	}
	digest, err := hex.DecodeString(os.Args[2])
	if err != nil {
		return err
	}
	entity, err := bundle.LoadJSONFromPath(os.Args[3])
	if err != nil {
		return err
	}
	load := func(string) (root.TimeConstrainedVerifier, error) {
		verifier, err := signature.LoadVerifier(public, crypto.SHA256)
		return unlimited{verifier}, err
	}
	verifier, err := verify.NewVerifier(root.NewTrustedPublicKeyMaterial(load), verify.WithNoObserverTimestamps())
	if err != nil {
		return err
	}
	policy := verify.NewPolicy(verify.WithArtifactDigest("sha256", digest), verify.WithKey())
	_, err = verifier.Verify(entity, policy)
	return err
}

// A key that is good at any time.
type unlimited struct{ signature.Verifier }

func (unlimited) ValidAtTime(time.Time) bool { return true }
