// Package atomicfile replaces a file by a new one: whole, or not at all. Readers see the old content or the new. It is renameio's work, and on
// Windows, for which that has no code, natefinch/atomic's.
package atomicfile

import (
	"os"
	"path/filepath"
)

// behind is the file that a symbolic link leads to, be it there or not: that is replaced, and the link stays. Of what is no link it is the path.
func behind(path string) string {
	for range 40 { // as many as systems follow
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Dir(path) + string(filepath.Separator) + to
		}
		path = to
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
