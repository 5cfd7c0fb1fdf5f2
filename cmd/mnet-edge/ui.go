package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print one JSON object instead of a table"}
}

// say writes a line to standard error, in place of the bar that is there, which comes back with its next step.
func say(c *cli.Context, format string, args ...any) {
	if b, ok := c.App.Metadata[barShown].(*bar); ok {
		b.Clear()
	}
	fmt.Fprintln(c.App.ErrWriter, plain(fmt.Sprintf(format, args...)))
}

// inputError marks an error as input refused, whatever it is otherwise, and adds nothing to what it says.
type inputError struct{ error }

func (e inputError) Unwrap() error { return e.error }

func refuse(err error) error { return inputError{err} }

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// barShown is where the app's metadata has the bar on the terminal.
const barShown = "bar"

// newBar is a progress bar on standard error; nil, which every method takes, where that is no terminal.
func newBar(c *cli.Context, total int) *bar {
	if !isTerminal(c.App.ErrWriter) {
		return nil
	}
	b := &bar{c: c, ProgressBar: progressbar.NewOptions(total,
		progressbar.OptionSetWriter(c.App.ErrWriter),
		progressbar.OptionSetWidth(barWidth),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionClearOnFinish(),
	)}
	c.App.Metadata[barShown] = b
	return b
}

// barWidth is the bar's own; aroundBar is what the percentage and the brackets take.
const barWidth, aroundBar = 20, 10

type bar struct {
	*progressbar.ProgressBar
	c *cli.Context
}

// set shows that n of the total are done, and as many of the parts, which say what, as the terminal has room for.
func (b *bar) set(n int, parts ...string) {
	if b != nil {
		columns, _, err := term.GetSize(int(b.c.App.ErrWriter.(*os.File).Fd()))
		if err != nil {
			columns = 80
		}
		b.Describe(plain(firstOf(parts, columns-barWidth-aroundBar)))
		b.Set(n)
	}
}

func (b *bar) finish() {
	if b != nil {
		b.Finish()
		delete(b.c.App.Metadata, barShown)
	}
}

// firstOf is the first parts, as many as fit into so many columns.
func firstOf(parts []string, columns int) (line string) {
	for i, p := range parts {
		longer := line + p
		if i > 0 {
			longer = line + "  " + p
		}
		if utf8.RuneCountInString(longer) > columns {
			break
		}
		line = longer
	}
	return line
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// version is the module's version as the build recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return strings.TrimSpace(info.Main.Version)
}

// word is a file's name as one types it in a shell.
func word(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-./:=+,@%", r)
	}) && filepath.Separator == '/' {
		return quote(name)
	}
	return name
}
