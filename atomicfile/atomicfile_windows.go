package atomicfile

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/natefinch/atomic"
)

// File is a file that is being written beside the one it is to replace.
type File struct {
	*os.File
	path string
}

// New begins a file that is to be at path. A folder that can't be written to is an error here.
func New(path string) (File, error) {
	path = Behind(path)
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"*")
	return File{f, path}, err
}

// Replace puts the file in its place, once its content is on the disk.
func (f File) Replace() error {
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return atomic.ReplaceFile(f.Name(), f.path)
}

// Abandon leaves nothing behind of a file that was not put in its place, and does nothing after that.
func (f File) Abandon() {
	f.Close()
	os.Remove(f.Name())
}
