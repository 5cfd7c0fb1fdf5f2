package atomicfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
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

// The file behind a link is replaced, with the permissions that it has; the link stays one.
func TestLinksAndPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has neither by default")
	}
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(real, []byte("old"), 0o600), os.Symlink("real", link)); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.WriteFile(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	behind, err := os.Stat(real)
	itself, errLink := os.Lstat(link)
	content, errRead := os.ReadFile(real)
	if err := errors.Join(err, errLink, errRead); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	if err := errors.Join(os.Symlink("later", missing), atomicfile.WriteFile(missing, []byte("there"))); err != nil {
		t.Fatal(err)
	}
	if later, err := os.ReadFile(filepath.Join(dir, "later")); err != nil || string(later) != "there" {
		t.Errorf("behind a link to nothing: %q, error %v", later, err)
	}
	// A link that leads up, in a folder that is behind a link itself.
	far := filepath.Join(dir, "x", "y")
	err = errors.Join(os.MkdirAll(far, 0o755), os.Mkdir(filepath.Join(dir, "x", "z"), 0o755), os.Symlink(filepath.Join("x", "y"), filepath.Join(dir, "d")),
		os.Symlink(filepath.Join("..", "z", "real"), filepath.Join(far, "up")), atomicfile.WriteFile(filepath.Join(dir, "d", "up"), []byte("far")))
	if err != nil {
		t.Fatal(err)
	}
	if up, err := os.ReadFile(filepath.Join(dir, "x", "z", "real")); err != nil || string(up) != "far" {
		t.Errorf("behind two links: %q, error %v", up, err)
	}
	if string(content) != "new" || behind.Mode().Perm() != 0o600 || itself.Mode()&os.ModeSymlink == 0 {
		t.Errorf("%q, of mode %v, behind what is %v", content, behind.Mode(), itself.Mode())
	}
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
