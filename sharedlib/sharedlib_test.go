//go:build linux

package sharedlib

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	root := t.TempDir()
	below := filepath.Join(root, "some", "folder")
	native := filepath.Join(root, "native", runtime.GOOS+"-"+runtime.GOARCH)
	for _, dir := range []string{below, filepath.Join(native, "libdir.so")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(below)
	for _, name := range []string{"libfound.so", "libdir.so"} { // a folder of the name is no library
		if _, err := Find(name); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want fs.ErrNotExist naming the file", name, err)
		}
	}
	if err := os.WriteFile(filepath.Join(native, "libfound.so"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if path, err := Find("libfound.so"); err != nil || filepath.Base(path) != "libfound.so" {
		t.Errorf("in a source tree: %q, %v", path, err)
	}
}

// A program that lies somewhere takes no library from around the folder that it is run in.
func TestDirs(t *testing.T) {
	root := t.TempDir()
	home, strange := filepath.Join(root, "tree", "bin"), filepath.Join(root, "strange", "folder")
	native := func(dir string) string { return filepath.Join(dir, "native", runtime.GOOS+"-"+runtime.GOARCH) }
	found := dirs(home, strange)
	if want := []string{home, filepath.Join(home, "lib"), native(home), native(filepath.Dir(home))}; !slices.Equal(found[:4], want) {
		t.Errorf("%q, want %q first", found, want)
	}
	if slices.Contains(found, native(strange)) || slices.Contains(found, native(filepath.Dir(strange))) {
		t.Errorf("%q: the working folder is among them", found)
	}
	run := filepath.Join(root, "go-build123", "b001", "exe")
	if found := dirs(run, strange); !slices.Contains(found, native(strange)) || slices.Contains(found, native(run)) {
		t.Errorf("of go run: %q", found)
	}
	cached := filepath.Join(root, "go-build", "78", strings.Repeat("78ef", 16)+"-d")
	if found := dirs(cached, strange); !slices.Contains(found, native(strange)) {
		t.Errorf("of go run the second time: %q", found)
	}
	if found := dirs(filepath.Join(root, "go-builds", "tool"), strange); slices.Contains(found, native(strange)) {
		t.Errorf("of a folder called go-builds: %q", found)
	}
	if found := dirs(run, ""); !slices.Contains(found, native(run)) {
		t.Errorf("of go run in no folder: %q", found)
	}
}

// A folder of the loader's path that is not absolute is the working folder, or lies in it.
func TestFindInSystem(t *testing.T) {
	const name = "libmnetedgetest.so"
	installed, working := t.TempDir(), t.TempDir()
	t.Chdir(working)
	if err := os.WriteFile(filepath.Join(working, name), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{installed + string(filepath.ListSeparator), ".", ""} {
		t.Setenv("LD_LIBRARY_PATH", path)
		if found, err := FindInSystem(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %q, %v", path, found, err)
		}
	}
	if err := os.WriteFile(filepath.Join(installed, name), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LD_LIBRARY_PATH", installed)
	if found, err := FindInSystem(name); err != nil || found != filepath.Join(installed, name) {
		t.Errorf("installed: %q, %v", found, err)
	}
}

// header is the start of a 64-bit little-endian ELF file, enough for its kind and machine.
func header(kind, machine uint16) []byte {
	b := make([]byte, 64)
	copy(b, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(b[16:], kind)
	binary.LittleEndian.PutUint16(b[18:], machine)
	binary.LittleEndian.PutUint32(b[20:], 1)
	binary.LittleEndian.PutUint16(b[52:], 64)
	return b
}

func TestCheck(t *testing.T) {
	own := uint16(machines[runtime.GOARCH])
	const sharedObject, executable, s390 = 3, 2, 22
	for _, test := range []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"an empty file", nil, "not an ELF file"},
		{"a text", []byte("#!/bin/sh\necho not a library at all, whatever its name says\n"), "not an ELF file"},
		{"the start of a header", header(sharedObject, own)[:30], "not an ELF file"},
		{"another machine", header(sharedObject, s390), "for s390x, this program for " + runtime.GOARCH},
		{"a program", header(executable, own), "ET_EXEC"},
		{"without symbols", header(sharedObject, own), "no function open_sesame"},
	} {
		path := filepath.Join(t.TempDir(), "lib.so")
		if err := os.WriteFile(path, test.bytes, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := Check(path, "open_sesame"); !errors.Is(err, ErrUseless) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want ErrUseless with %q", test.name, err, test.want)
		}
	}
	if err := Check(filepath.Join(t.TempDir(), "lib.so")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// Whatever the file, the answer is an error or none.
func FuzzCheck(f *testing.F) {
	f.Add(header(3, uint16(machines[runtime.GOARCH])))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "lib.so")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := Check(path, "open_sesame"); err != nil && !errors.Is(err, ErrUseless) {
			t.Error(err)
		}
	})
}
