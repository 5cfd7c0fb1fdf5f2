package model

import (
	"io"
	"os"
	"runtime"
)

// files is the part of the file system that Save changes, so that tests can make any operation the last one.
type files interface {
	MkdirAll(dir string) error
	RemoveAll(path string) error
	Rename(from, to string) error
	Create(path string) (file, error)
	SyncDir(dir string) error // sees the folder's entries to the disk
}

type file interface {
	io.WriteCloser
	Sync() error
}

type osFiles struct{}

func (osFiles) MkdirAll(dir string) error    { return os.MkdirAll(dir, 0o755) }
func (osFiles) RemoveAll(path string) error  { return os.RemoveAll(path) }
func (osFiles) Rename(from, to string) error { return os.Rename(from, to) }
func (osFiles) Create(path string) (file, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}

func (osFiles) SyncDir(dir string) error {
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
