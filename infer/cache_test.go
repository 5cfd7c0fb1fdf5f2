package infer_test

import (
	"os"
	"path/filepath"
	"testing"

	"mnet-edge/infer"
)

// A file that is not there yet has a name of each session's own, until one is done; then all have that one, which is never written to again.
func TestCacheFile(t *testing.T) {
	opts := infer.Options{Cache: filepath.Join(t.TempDir(), "made", "for it")}
	file := func() infer.CacheFile {
		t.Helper()
		f, err := opts.CacheFile([]byte("a model"), "runtime-1")
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	write := func(f infer.CacheFile, text string) {
		t.Helper()
		if err := os.WriteFile(f.Path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files := func() []string {
		names, err := filepath.Glob(filepath.Join(opts.Cache, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	first, second, third := file(), file(), file()
	if first.Path == second.Path || first.Path == third.Path || second.Path == third.Path {
		t.Fatalf("%q, %q, %q: two sessions write one file", first.Path, second.Path, third.Path)
	}
	write(first, "half")
	if err := first.Settle(false); err != nil || len(files()) != 0 {
		t.Errorf("given up: %q left, error %v", files(), err)
	}
	write(second, "whole")
	if err := second.Settle(true); err != nil {
		t.Fatal(err)
	}
	later := file()
	if text, err := os.ReadFile(later.Path); err != nil || string(text) != "whole" || later.Path != second.Path {
		t.Errorf("%q after %q: %q, error %v", later.Path, second.Path, text, err)
	}
	if err := later.Settle(false); err != nil || len(files()) != 1 {
		t.Errorf("a session that read it: %q left, error %v", files(), err)
	}
	if err := third.Settle(true); err != nil || third.Path != later.Path { // it had nothing to keep
		t.Errorf("%q, error %v", third.Path, err)
	}
	none := infer.Options{}
	if f, err := none.CacheFile([]byte("a model"), "runtime-1"); err != nil || f.Path != "" || f.Settle(true) != nil {
		t.Errorf("without a cache: %q, error %v", f.Path, err)
	}
}
