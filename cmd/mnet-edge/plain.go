package main

import (
	"bytes"
	"cmp"
	"io"
	"strings"
	"unicode"
)

// plainWriter keeps control characters off a person's terminal: names in a model, in an archive or on another machine may
// have any. Lines and tabs stay; what else there is of C0 becomes "?", and of C1, two bytes in UTF-8, "¿". The first error is kept: tables are
// written by many calls that nobody looks at.
type plainWriter struct {
	to   io.Writer
	last byte // of what was written before
	err  error
}

func (w *plainWriter) Write(b []byte) (int, error) {
	plain := bytes.Clone(b)
	for i, c := range b {
		switch {
		case c < ' ' && c != '\n' && c != '\t', c == 0x7f:
			plain[i] = '?'
		case w.last == 0xc2 && c >= 0x80 && c < 0xa0: // U+0080 to U+009F
			plain[i] = 0xbf
		}
		w.last = c
	}
	n, err := w.to.Write(plain)
	w.err = cmp.Or(w.err, err)
	return n, err
}

// plain is text on one line without control characters.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return ';'
		case unicode.IsControl(r):
			return '?'
		}
		return r
	}, text)
}
