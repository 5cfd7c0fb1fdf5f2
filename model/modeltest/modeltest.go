// Package modeltest has what tests of stored checkpoints share: a file system that fails, and a run's checkpoints compared.
package modeltest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"mnet-edge/model"
)

var disk model.OSFiles

// Then is what becomes of the changes after the one that fails.
type Then string

const (
	Works  Then = ""          // they are made: the disk had a bad moment
	Full   Then = "full disk" // they fail, but for removing: a full disk still lets go of files
	Killed Then = "killed"    // they fail, as nothing comes after the one that a process was killed within
)

// Files is the operating system's file system, of which the N-th change fails: a write or a removal half done, another not at all.
type Files struct {
	N      int // counted down with each change
	Then   Then
	Err    error
	Failed string // the file or folder that it was about
}

func (f *Files) do(op, path string, whole, half func() error) error {
	f.N--
	if f.N > 0 || f.N < 0 && f.Then == Works {
		return whole()
	}
	if f.N == 0 {
		f.Failed = path
	}
	if half != nil && (f.N == 0 || f.Then == Full) {
		half()
	}
	return &fs.PathError{Op: op, Path: path, Err: f.Err}
}

func (f *Files) MkdirAll(dir string) error {
	return f.do("mkdir", dir, func() error { return disk.MkdirAll(dir) }, nil)
}

func (f *Files) RemoveAll(path string) error {
	whole := func() error { return disk.RemoveAll(path) }
	if f.Then == Full {
		return whole()
	}
	return f.do("remove", path, whole, func() error { return os.Remove(filepath.Join(path, "weights.safetensors")) })
}

func (f *Files) Rename(from, to string) error {
	return f.do("rename", to, func() error { return disk.Rename(from, to) }, nil)
}

func (f *Files) SyncDir(dir string) error {
	return f.do("sync", dir, func() error { return disk.SyncDir(dir) }, nil)
}

func (f *Files) Create(path string) (model.File, error) { return f.open("create", path, disk.Create) }
func (f *Files) Append(path string) (model.File, error) { return f.open("open", path, disk.Append) }

func (f *Files) open(op, path string, open func(string) (model.File, error)) (model.File, error) {
	w := file{on: f, path: path}
	err := f.do(op, path, func() (err error) { w.File, err = open(path); return err }, nil)
	return w, err
}

type file struct {
	on   *Files
	path string
	model.File
}

func (w file) Write(b []byte) (n int, err error) {
	write := func(b []byte) func() error {
		return func() error { n, err = w.File.Write(b); return err }
	}
	err = w.on.do("write", w.path, write(b), write(b[:len(b)/2]))
	return n, err
}

func (w file) Sync() error { return w.on.do("sync", w.path, w.File.Sync, nil) }

// LoadLast is the checkpoint "last" of a run's folder.
func LoadLast(t testing.TB, run string) *model.Checkpoint {
	t.Helper()
	last, _, err := model.Load(filepath.Join(run, "checkpoint", "last"))
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// SameWeights sees that two runs ended with the same weights and optimizer state, bit for bit.
func SameWeights(t testing.TB, when, got, want string) {
	t.Helper()
	for _, name := range []string{"best", "last"} {
		a, _, errA := model.Load(filepath.Join(got, "checkpoint", name))
		b, _, errB := model.Load(filepath.Join(want, "checkpoint", name))
		if err := errors.Join(errA, errB); err != nil {
			t.Errorf("%s: %v", when, err)
		} else if a.Step != b.Step || !reflect.DeepEqual(a.Weights, b.Weights) || !reflect.DeepEqual(a.Optimizer, b.Optimizer) {
			t.Errorf("%s: %s of step %d differs from the unbroken run's of step %d", when, name, a.Step, b.Step)
		}
	}
}
