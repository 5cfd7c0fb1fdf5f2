package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print one JSON object instead of a table"}
}

// say writes a line to standard error.
func say(c *cli.Context, format string, args ...any) {
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

// newBar is a progress bar on standard error; nil, which every method takes, where that is no terminal.
func newBar(c *cli.Context, total int, what string) *bar {
	if !isTerminal(c.App.ErrWriter) {
		return nil
	}
	return &bar{progressbar.NewOptions(total,
		progressbar.OptionSetWriter(c.App.ErrWriter),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(20),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionShowCount(),
	)}
}

type bar struct{ *progressbar.ProgressBar }

func (b *bar) set(n int, what string) {
	if b != nil {
		b.Describe(what)
		b.Set(n)
	}
}

func (b *bar) finish() {
	if b != nil {
		b.Finish()
	}
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
