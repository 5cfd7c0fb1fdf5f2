package atomicfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"mnet-edge/atomicfile"
)

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	for _, content := range []string{"the first, which is longer", "the second", ""} {
		if err := atomicfile.WriteFile(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		expect(t, path, content)
	}
	if err := atomicfile.WriteFile(filepath.Join(path, "below a file"), nil); err == nil {
		t.Error("a file was made below a file")
	}
}

// What was there stays until the new file takes its place, and stays if it never does; either way nothing else is left in the folder.
func TestReplaceAndAbandon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	if err := atomicfile.WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	for _, kept := range []bool{false, true} {
		f, err := atomicfile.New(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("new")); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
			t.Errorf("before it is replaced the file has %q, error %v", got, err)
		}
		if kept {
			if err := f.Replace(); err != nil {
				t.Fatal(err)
			}
		}
		f.Abandon()
		if !kept {
			expect(t, path, "old")
		}
	}
	expect(t, path, "new")
}

// expect says if the folder has not this file alone, with that content.
func expect(t *testing.T, path, content string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != content || len(entries) != 1 {
		t.Errorf("the file has %q, want %q, error %v; the folder has %v", got, content, err, entries)
	}
}
