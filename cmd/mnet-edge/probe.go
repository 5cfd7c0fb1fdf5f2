package main

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/urfave/cli/v2"

	"mnet-edge/infer"
)

// probeTime is how long a model may take in the child to be loaded and run.
const probeTime = time.Minute

// sampleTime is how long the child spends on inputs after the first few.
const (
	sampleTime  = 3 * time.Second
	sampleLeast = 20
)

// trial is what a child is to try, and where.
type trial struct {
	Delegate string
	Threads  int
	Cache    string
	Inputs   [][]byte // none is one input of zeros
}

// verdict is what the child found.
type verdict struct {
	Outputs [][]byte // of the first so many inputs
	Adapter string   // the GPU, where the runtime names one
	Refused string   // why the delegate is not available; "" if it is
}

// probe opens a model and runs it in a child process, this program started again. It reports a model that crashes the
// child or never lets it end with infer.ErrModel; a delegate that is not available is in the verdict. What else the child
// has to say is left to be said again by the real run.
func probe(ctx context.Context, model []byte, t trial) (v verdict, err error) {
	fail := func(err error) (verdict, error) { return verdict{}, fmt.Errorf("probing the model: %w", err) }
	self, err := os.Executable()
	if err != nil {
		return fail(err)
	}
	dir, err := os.MkdirTemp("", "mnet-edge-probe")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	if err := writeGob(filepath.Join(dir, "trial"), t); err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "probe", "--trial", dir)
	cmd.Stdin = bytes.NewReader(model)
	if err := survived(ctx, cmd); err != nil {
		return verdict{}, err
	}
	err = readGob(filepath.Join(dir, "verdict"), &v)
	if errors.Is(err, os.ErrNotExist) { // the child refused the model, as the real run will
		return verdict{}, nil
	}
	if err != nil {
		return fail(err)
	}
	return v, nil
}

// survived runs a child and reports its violent end as the model's fault. An exit code is no violent end, but for that of
// a fault of ours, which a panic in Go has too.
func survived(ctx context.Context, cmd *exec.Cmd) error {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: tried in a child process, it did not end within %v", infer.ErrModel, probeTime)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit) && (!exit.Exited() || exit.ExitCode() == exitFault || exit.ExitCode() == exitPanic):
		return fmt.Errorf("%w: tried in a child process, it ended that with %s", infer.ErrModel, lastWords(stderr.Bytes(), exit))
	case errors.As(err, &exit):
		return nil
	case err != nil:
		return fmt.Errorf("probing the model: %w", err)
	}
	return nil
}

// epitaph is the line that says why a process ends by force, in the words of the Go runtime or of C++.
var epitaph = regexp.MustCompile(`(?m)^(SIG[A-Z]+: .*|fatal error: .*|panic: .*|terminate called .*)$`)

func lastWords(stderr []byte, exit *exec.ExitError) string {
	if line := epitaph.Find(stderr); line != nil {
		return string(line)
	}
	return exit.Error()
}

// exitPanic is the exit code of a Go program that panics, the same number as that of a usage error: probe makes none.
const exitPanic = exitUsage

// probeCommand is the child: it runs the model on standard input as the trial in a folder says, and leaves its verdict
// there. Without a folder it runs it once on zeros.
func probeCommand() *cli.Command {
	return &cli.Command{
		Name:   "probe",
		Hidden: true,
		Flags: []cli.Flag{&cli.StringFlag{Name: "delegate", Value: infer.Auto}, &cli.IntFlag{Name: "threads", Value: 1},
			&cli.StringFlag{Name: "trial"}},
		Action: func(c *cli.Context) error {
			t := trial{Delegate: c.String("delegate"), Threads: c.Int("threads")}
			dir := c.String("trial")
			if dir != "" {
				if err := readGob(filepath.Join(dir, "trial"), &t); err != nil {
					return err
				}
			}
			model, err := io.ReadAll(c.App.Reader)
			if err != nil {
				return err
			}
			v, err := try(model, t)
			if err != nil || dir == "" {
				return err
			}
			return writeGob(filepath.Join(dir, "verdict"), v)
		},
	}
}

func try(model []byte, t trial) (v verdict, err error) {
	_, session, err := infer.Open(runtimes(), model, infer.Options{Delegate: t.Delegate, Threads: t.Threads, Cache: t.Cache})
	if errors.Is(err, infer.ErrUnavailable) {
		return verdict{Refused: oneLine(err)}, nil
	}
	if err != nil {
		return v, err
	}
	defer session.Close()
	v.Adapter = adapterOf(session)
	if len(t.Inputs) == 0 {
		t.Inputs = [][]byte{make([]byte, session.Input().Type.Bytes())}
	}
	start := time.Now()
	for i, in := range t.Inputs {
		if i >= sampleLeast && time.Since(start) > sampleTime {
			break
		}
		out := make([]byte, session.Output().Type.Bytes())
		if err := infer.Call(session, in, out); err != nil {
			return v, err
		}
		v.Outputs = append(v.Outputs, out)
	}
	return v, nil
}

func writeGob(path string, v any) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(gob.NewEncoder(f).Encode(v), f.Close())
}

func readGob(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return gob.NewDecoder(f).Decode(v)
}
