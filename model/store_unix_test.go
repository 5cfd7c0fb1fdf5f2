//go:build unix

package model

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe in a checkpoint's place is refused, not waited at.
func TestLoadPipe(t *testing.T) {
	dir := t.TempDir()
	if err := Save(dir, "last", tiny(1)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "last", weightsFile)
	if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o644)); err != nil {
		t.Skip(err)
	}
	if _, _, err := Load(filepath.Join(dir, "last")); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("error %v, want ErrCheckpoint", err)
	}
}
