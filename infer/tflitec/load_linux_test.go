//go:build tflite && cgo

package tflitec

import (
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
)

// The program does not depend on the library, or it would not start on a machine without it.
func TestNotNeededToStart(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	needed, err := f.ImportedLibraries()
	if err != nil || len(needed) == 0 {
		t.Fatalf("needs %q, error %v", needed, err)
	}
	for _, name := range needed {
		if strings.Contains(name, "tensorflow") {
			t.Errorf("the system loads %s before the program starts", name)
		}
	}
}

// A library that is not there, is none, or is another has a reason, and changes nothing of the one in use.
func TestLoadFrom(t *testing.T) {
	none := t.TempDir() + "/none.so"
	if err := os.WriteFile(none, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"nowhere/lib.so": "cannot open shared object file",
		none:             "none.so: file too short",
		"libm.so.6":      "libm.so.6: it has no function TfLiteVersion",
	} {
		if err := loadFrom(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if v := New().Version(); v != "2.20.0" {
		t.Errorf("afterwards TensorFlow Lite %q", v)
	}
}

// Without the library every delegate is listed with the reason, and none opens.
func TestWithoutTheLibrary(t *testing.T) {
	there := load
	defer func() { load = there }()
	listed := len(New().Devices())
	load = func() error { return &fs.PathError{Op: "open", Path: "the library", Err: fs.ErrNotExist} }
	ds := New().Devices()
	if len(ds) != listed || New().Version() != "" {
		t.Errorf("%d devices, with the library %d; version %q", len(ds), listed, New().Version())
	}
	b, err := infertest.Model(infertest.Small, infertest.Int8, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range ds {
		if d.Available || !strings.Contains(d.Reason, "the library") {
			t.Errorf("%+v", d)
		}
		if _, err := New().Open(b, infer.Options{Delegate: d.Name}); !errors.Is(err, infer.ErrUnavailable) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
	if _, err := New().Open(b, infer.Options{}); !errors.Is(err, infer.ErrUnavailable) {
		t.Errorf("left to itself: %v", err)
	}
}
