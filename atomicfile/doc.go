// Package atomicfile replaces a file by a new one: whole, or not at all. Readers see the old content or the new. It is renameio's work, and on
// Windows, for which that has no code, natefinch/atomic's.
package atomicfile

import (
	"os"
	"path/filepath"
)

// Behind is the file that a path leads to, through symbolic links, be it there or not: that is replaced, and the links stay.
func Behind(path string) string {
	for range 40 { // as many as systems follow
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			dir, _ := filepath.Split(path)
			to = dir + to
		}
		path = to
	}
	dir, name := filepath.Split(path) // not Dir, for which .. leads back out of a link to a folder
	if real, err := filepath.EvalSymlinks(dir + "."); err == nil {
		path = filepath.Join(real, name)
	}
	return path
}

// WriteFile replaces the file at path, or makes it, with data as its content.
func WriteFile(path string, data []byte) error {
	f, err := New(path)
	if err != nil {
		return err
	}
	defer f.Abandon()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Replace()
}
