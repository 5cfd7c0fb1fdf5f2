// Package atomicfile replaces a file by a new one: whole, or not at all. Readers see the old content or the new. It is renameio's work, and on
// Windows, for which that has no code, natefinch/atomic's.
package atomicfile

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
