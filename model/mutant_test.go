package model

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Damage that a checksum does not show, as someone makes it who fits the manifest to it: what loads is within the
// contract of Checkpoint, and all else is refused.
func TestLoadForged(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "last")
	if err := Save(dir, "last", tiny(1)); err != nil {
		t.Fatal(err)
	}
	text := read(t, filepath.Join(at, manifestFile))
	weights := read(t, filepath.Join(at, weightsFile))
	rng := rand.New(rand.NewPCG(5, 5))
	loaded, refused := 0, 0
	for i := range 1000 {
		bad := bytes.Clone(weights)
		switch i % 4 {
		case 0: // in the header's length or its text
			bad[rng.IntN(4000)] ^= 1 << rng.IntN(8)
		case 1:
			bad[8+rng.IntN(4000)] = "0123456789{}[]\",:-e"[rng.IntN(19)]
		case 2: // among the values
			bad[len(bad)-1-rng.IntN(4*1000)] ^= 1 << rng.IntN(8)
		case 3:
			bad = bad[:rng.IntN(len(bad))]
		}
		m, err := decodeManifest(text)
		if err != nil {
			t.Fatal(err)
		}
		m.Files[weightsFile] = fingerprintOf(bad)
		forged, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(at, weightsFile), bad)
		write(t, filepath.Join(at, manifestFile), forged)
		c, _, err := Load(at)
		switch {
		case err == nil:
			loaded++
			if err := errors.Join(c.Check(), c.Weights.Finite()); err != nil {
				t.Fatalf("mutant %d was loaded: %v", i, err)
			}
		case errors.Is(err, ErrCheckpoint):
			refused++
		default:
			t.Fatalf("mutant %d: error %v is no refusal", i, err)
		}
	}
	if loaded < 50 || refused < 50 {
		t.Errorf("%d loaded, %d refused: the mutants test one side only", loaded, refused)
	}
}

// With the one before damaged too there is nothing to fall back to, and Load says what is wrong with the newest.
func TestLoadAllDamaged(t *testing.T) {
	dir := t.TempDir()
	for step := range int64(2) {
		if err := Save(dir, "last", tiny(step)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"last", "last.old"} {
		if err := os.Truncate(filepath.Join(dir, name, weightsFile), 100); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := Load(filepath.Join(dir, "last"))
	if !errors.Is(err, ErrCheckpoint) || strings.Contains(err.Error(), "last.old") {
		t.Errorf("error %v, want ErrCheckpoint about the newest", err)
	}
}
