//go:build !windows

package atomicfile

import (
	"path/filepath"

	"github.com/google/renameio/v2"
)

// File is a file that is being written beside the one it is to replace.
type File struct{ *renameio.PendingFile }

// New begins a file that is to be at path, with the permissions of the one that is there. A folder that can't be written to is an error here.
func New(path string) (File, error) {
	path = Behind(path)
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(0o644), renameio.WithExistingPermissions())
	return File{f}, err
}

// Replace puts the file in its place, once its content is on the disk.
func (f File) Replace() error { return f.CloseAtomicallyReplace() }

// Abandon leaves nothing behind of a file that was not put in its place, and does nothing after that.
func (f File) Abandon() { f.Cleanup() }
