// Command mnet-edge trains a CIFAR-10 MobileNet, converts it to an int8 TFLite model, and measures how fast and how
// accurate it is on a device.
//
//	main.go       flags, exit codes, hints
//	train.go, convert.go, infer.go, bench.go, devices.go, inspect.go   one file a command
//	runs.go       where runs lie, and which is meant
//	models.go     opening a model in a runtime; modelfile.go: reading its file
//	kernels.go    the kernels that the native engine is told to take
//	teacher.go    models in files that teach
//	remote.go     running a command on another machine
//	probe.go      trying it in a child process first
//	memory.go     what it takes of memory, in a child process too
//	profile.go    where its time goes
//	lint.go       what accelerators make of a model
//	convertjob.go a conversion that may be done more than once, and what is held against it; maxdrop.go: until it keeps a bound
//	page.go, convertreport.go   reports written to files
//	delegates.go  delegates loaded at run time: tried, and compared with ours
//	pictures.go   the images that a command's arguments name; scored.go: those of a set, with their classes
//	failure.go    what is said when a command fails
//	plain.go      no control characters on a terminal
//	complete.go, man.go   shell completion, the manual page
//	runtimes*.go  the runtimes this binary has
//	ui.go         tables and progress bars
//
// Only this package prints and exits. Results go to standard output, everything else to standard error.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"mnet-edge/convert"
	"mnet-edge/dataset"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/model"
	"mnet-edge/train"
)

// The exit codes are a contract: scripts depend on them.
const (
	exitOK          = 0
	exitFault       = 1 // a fault of ours
	exitUsage       = 2
	exitInput       = 3 // a model, image or data refused
	exitDiverged    = 4 // training diverged
	exitIO          = 5 // disk full, permission, no connection
	exitDelegate    = 6 // the delegate asked for is not what ran (--strict)
	exitAccuracy    = 7 // an accuracy floor was missed
	exitInterrupted = 130
)

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// run is the whole program but for the exit.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first interrupt asks for an orderly end; with the handler gone, the second ends the process at once.
	context.AfterFunc(ctx, stop)

	out := &plainWriter{to: stdout}
	app := newApp(stdin, out, stderr)
	err := orderly(ctx, patience, func() error { return app.RunContext(ctx, intersperse(app, args)) })
	if errors.Is(err, errLeft) {
		if len(args) > 1 && args[1] == "train" {
			err = withHint(err, "mnet-edge train --resume goes on from the last checkpoint")
		}
		return fail(err, args, stdout, stderr)
	}
	var child *exec.ExitError                                                         // has the methods of the library's
	if exit := cli.ExitCoder(nil); errors.As(err, &exit) && !errors.As(err, &child) { // the library's own, about the command line
		err = usageError{err}
	}
	if err = cmp.Or(err, out.err); err == nil {
		return exitOK
	}
	return fail(err, args, stdout, stderr)
}

// patience is how long an interrupted command may take to its orderly end. What can't be told to stop, a training step of half a minute for
// one, is left then: files are replaced whole or not at all, at whatever moment a process ends, and what was trained since the last checkpoint is trained again.
const patience = 8 * time.Second

// errLeft is of a command that was left before its end. It may still be at work.
var errLeft = errors.New("was left")

// orderly is what do returns or, where ctx is cancelled and do has not returned in patience from then on, an error that wraps ctx's; do goes on then.
func orderly(ctx context.Context, patience time.Duration, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		return fmt.Errorf("interrupted; what was under way did not end within %v and %w: %w", patience, errLeft, ctx.Err())
	}
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	usage := func(_ *cli.Context, err error, _ bool) error { return usageError{err} }
	app := &cli.App{
		Name:                      "mnet-edge",
		Usage:                     "train a MobileNet, quantize it, and know how fast and how accurate it is",
		Version:                   version(),
		Reader:                    stdin,
		Writer:                    stdout,
		ErrWriter:                 stderr,
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true, // a comma may be in a name
		Commands: []*cli.Command{
			trainCommand(), convertCommand(), inferCommand(), benchCommand(), devicesCommand(), inspectCommand(),
			completionCommand(), manCommand(), completeCommand(), probeCommand(), memoryCommand(),
		},
		// Errors come back to run, which prints and chooses the exit code.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usage,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("unknown command %q", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, c := range app.Commands {
		c.OnUsageError = usage
		c.HideHelpCommand = true
	}
	return app
}

// usageError is a command line that can't be understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errDelegate is a delegate other than the one asked for, under --strict.
var errDelegate = errors.New("not the delegate asked for")

// hinted carries a suggestion of what to type next.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

func withHint(err error, format string, args ...any) error {
	return hinted{err, fmt.Sprintf(format, args...)}
}

func hintFor(err error) string {
	var h hinted
	var u usageError
	switch {
	case errors.As(err, &h):
		return h.hint
	case errors.As(err, &u):
		return "mnet-edge COMMAND --help lists the flags"
	case errors.Is(err, errDelegate), errors.Is(err, infer.ErrUnavailable):
		return "mnet-edge devices lists what this machine can run on, and why not the rest"
	}
	return ""
}

// exitCode maps an error to the contract's number. Input that is refused counts as such even where the reason is a file that is not there;
// permission and other trouble with files is I/O.
func exitCode(err error) int {
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	var usage usageError
	var input inputError
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case is(context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage), is(train.ErrConfig, train.ErrExists, train.ErrNoRun):
		return exitUsage
	case is(errDelegate):
		return exitDelegate
	case is(train.ErrDiverged):
		return exitDiverged
	case is(errAccuracy):
		return exitAccuracy
	case is(errRemote, fs.ErrPermission, syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS, train.ErrBusy):
		return exitIO
	case errors.As(err, &input), is(dataset.ErrData, dataset.ErrImage, tflite.ErrFormat, infer.ErrModel, infer.ErrUnavailable, model.ErrCheckpoint,
		convert.ErrCalibration, convert.ErrNetwork, convert.ErrRecord, train.ErrData, train.ErrBackend):
		return exitInput
	case errors.As(err, &path), errors.As(err, &link):
		return exitIO
	}
	return exitFault
}

// oneLine is the error's text on one line, without control characters that a hostile file name could carry.
func oneLine(err error) string { return plain(err.Error()) }

// intersperse moves a command's flags before its arguments: urfave/cli stops at the first argument, but people type
// "infer photo.png --json". What follows "--" stays. With --help nothing else counts: before arguments urfave/cli takes them for topics.
func intersperse(app *cli.App, args []string) []string {
	if len(args) < 2 {
		return args
	}
	command := app.Command(args[1])
	if command == nil {
		return args
	}
	takesValue := map[string]bool{}
	for _, f := range command.Flags {
		_, isBool := f.(*cli.BoolFlag)
		for _, name := range f.Names() {
			takesValue[name] = !isBool
		}
	}
	flags, rest := []string{args[0], args[1]}, []string(nil)
	for i := 2; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			flags, rest = append(flags, a), append(rest, args[i+1:]...)
			break
		}
		if len(a) < 2 || a[0] != '-' {
			rest = append(rest, a)
			continue
		}
		name := strings.TrimLeft(a, "-")
		if name == "help" || name == "h" {
			return []string{args[0], args[1], "--help"}
		}
		if takesValue[name] && i+1 == len(args) {
			return []string{args[0], args[1], a} // before an argument it would take that for its value
		}
		flags = append(flags, a)
		if takesValue[name] {
			i++
			flags = append(flags, args[i])
		}
	}
	return append(flags, rest...)
}

// aboveZero refuses flags that are given as zero or less: without them there is a default, which they would stand for.
func aboveZero(c *cli.Context, flags ...string) error {
	for _, f := range flags {
		var ok bool
		switch v := c.Value(f).(type) {
		case int:
			ok = v > 0
		case float64:
			ok = v > 0
		case time.Duration:
			ok = v > 0
		}
		if c.IsSet(f) && !ok {
			return usagef("--%s %v: want more than 0", f, c.Value(f))
		}
	}
	return nil
}
