package model

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// Files is the part of the file system that SaveOn and WriteFile change, so that tests can make any operation fail, or
// the last one.
type Files interface {
	MkdirAll(dir string) error
	RemoveAll(path string) error
	Rename(from, to string) error
	Create(path string) (File, error) // a new file: one that is there already is an error
	Append(path string) (File, error) // an old file, to be made longer
	SyncDir(dir string) error         // sees the folder's entries to the disk
}

// File is a file being written.
type File interface {
	io.WriteCloser
	Sync() error
}

// OSFiles is the operating system's file system.
type OSFiles struct{}

func (OSFiles) MkdirAll(dir string) error    { return os.MkdirAll(dir, 0o755) }
func (OSFiles) RemoveAll(path string) error  { return os.RemoveAll(path) }
func (OSFiles) Rename(from, to string) error { return os.Rename(from, to) }
func (OSFiles) Create(path string) (File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}
func (OSFiles) Append(path string) (File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
}

func (OSFiles) SyncDir(dir string) error {
	if runtime.GOOS == "windows" { // has no such operation on folders
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// WriteFile replaces the file at path by one that holds data, whole or not at all, whatever stops it and whenever. Its
// temporary name depends on path alone, so that a kill leaves one file at most behind, which the next WriteFile clears
// away; in return there may be one writer at a time.
func WriteFile(f Files, path string, data []byte) error {
	dir, base := filepath.Split(path)
	temporary := filepath.Join(dir, "."+base+".new")
	err := f.RemoveAll(temporary)
	if err == nil {
		err = createFile(f, temporary, data)
	}
	if err == nil {
		err = f.Rename(temporary, path)
	}
	if err != nil {
		f.RemoveAll(temporary) // gives a full disk its room back
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := f.SyncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// AppendFile makes the file at path longer by data. Stopped in between, it leaves a part of data at the end.
func AppendFile(f Files, path string, data []byte) error {
	w, err := f.Append(path)
	if err == nil {
		err = finishFile(w, data)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// createFile makes a file that is not there yet and sees its content to the disk. Stopped in between, it leaves a part of data.
func createFile(f Files, path string, data []byte) error {
	w, err := f.Create(path)
	if err != nil {
		return err
	}
	return finishFile(w, data)
}

func finishFile(w File, data []byte) error {
	_, err := w.Write(data)
	if err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}
