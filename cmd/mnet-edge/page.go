package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mnet-edge/atomicfile"
)

// page is a report, or another file that a command writes, which is whole or not there. It is begun before the work that it is of, so
// that a folder that cannot be written to is known at once. A nil page takes everything and writes nothing.
type page struct{ atomicfile.File }

// apart refuses files to be written that are read too, or are another file to be written. "" is none.
func apart(read []string, written ...string) error {
	for i, w := range written {
		is := func(other string) bool { return w != "" && other != "" && sameFile(w, other) }
		if slices.ContainsFunc(read, is) {
			return usagef("%s is to be read, and to be written", w)
		}
		if slices.ContainsFunc(written[:i], is) {
			return usagef("%s is to be written twice", w)
		}
	}
	return nil
}

// sameFile reports whether two names are one file's, which need not be there.
func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	if errX == nil && errY == nil {
		return os.SameFile(x, y)
	}
	x1, errX := filepath.Abs(atomicfile.Behind(a))
	y1, errY := filepath.Abs(atomicfile.Behind(b))
	return errX == nil && errY == nil && x1 == y1
}

// newPage begins a page for people; nil for no path.
func newPage(path string) (*page, error) {
	if isModelFile(path) || isModelFile(atomicfile.Behind(path)) {
		return nil, usagef("%s: a page would have a model's name", path)
	}
	return begin(path)
}

// begin begins a file of any kind; nil for no path.
func begin(path string) (*page, error) {
	if path == "" {
		return nil, nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, usagef("%s: it is there, and not a regular file", path)
	}
	f, err := atomicfile.New(path)
	if err != nil {
		return nil, err
	}
	return &page{f}, nil
}

// write fills the file and puts it in its place.
func (p *page) write(content func(io.Writer) error) error {
	if p == nil {
		return nil
	}
	b := bufio.NewWriter(p)
	if err := content(b); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return p.Replace()
}

// abandon leaves nothing behind of a page that was not written.
func (p *page) abandon() {
	if p != nil {
		p.Abandon()
	}
}

// oneFormat refuses more than one of the flags, each of which asks for standard output.
func oneFormat(c *cli.Context, flags ...string) error {
	var set []string
	for _, f := range flags {
		if c.Bool(f) {
			set = append(set, "--"+f)
		}
	}
	if len(set) > 1 {
		return usagef("%s: one of them", strings.Join(set, " and "))
	}
	return nil
}
