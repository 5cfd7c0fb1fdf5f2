package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"mnet-edge/infer"
)

// probeTime is how long a model may take in the child to be loaded and run once.
const probeTime = 30 * time.Second

// probe opens a model and runs it once in a child process, this program started again, and reports one that crashes the
// runtime or never ends. What the child says otherwise is left to be said again by the real run.
func probe(ctx context.Context, model []byte, delegate string, threads int) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("probing the model: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "probe", "--delegate", delegate, "--threads", strconv.Itoa(threads))
	cmd.Stdin = bytes.NewReader(model)
	return survived(ctx, cmd)
}

// survived runs a child and reports its violent end as the model's fault. An exit code is no violent end, but for that of
// a fault of ours, which a panic in Go has too.
func survived(ctx context.Context, cmd *exec.Cmd) error {
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: tried in a child process, it did not end within %v", infer.ErrModel, probeTime)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit) && (!exit.Exited() || exit.ExitCode() == exitFault || exit.ExitCode() == exitPanic):
		return fmt.Errorf("%w: tried in a child process, it ended that with %v", infer.ErrModel, exit)
	case errors.As(err, &exit):
		return nil
	case err != nil:
		return fmt.Errorf("probing the model: %w", err)
	}
	return nil
}

// exitPanic is the exit code of a Go program that panics, the same number as that of a usage error: probe makes none.
const exitPanic = exitUsage

// probeCommand is the child: it runs the model on standard input once, on an input of zeros.
func probeCommand() *cli.Command {
	return &cli.Command{
		Name:   "probe",
		Hidden: true,
		Flags:  []cli.Flag{&cli.StringFlag{Name: "delegate", Value: infer.Auto}, &cli.IntFlag{Name: "threads", Value: 1}},
		Action: func(c *cli.Context) error {
			model, err := io.ReadAll(c.App.Reader)
			if err != nil {
				return err
			}
			_, session, err := infer.Open(runtimes(), model, infer.Options{Delegate: c.String("delegate"), Threads: c.Int("threads")})
			if err != nil {
				return err
			}
			defer session.Close()
			if err := session.Write(make([]byte, session.Input().Type.Bytes())); err != nil {
				return err
			}
			if err := session.Invoke(); err != nil {
				return err
			}
			return session.Read(make([]byte, session.Output().Type.Bytes()))
		},
	}
}
