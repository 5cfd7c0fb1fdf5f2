package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"mnet-edge/infer"
)

// memoryOf is what opening and running the model adds to a process, at its peak, in bytes: measured in a child process,
// since in this one other models lie beside it. 0 where the system does not say.
func memoryOf(ctx context.Context, m *openedModel) (int64, error) {
	if _, ok := resident("VmRSS"); !ok {
		return 0, nil
	}
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("measuring memory: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, "memory", "--delegate", m.delegate(), "--threads", strconv.Itoa(m.ran.Threads))
	cmd.Stdin = bytes.NewReader(m.bytes)
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("measuring memory of %s: %w", m.path, err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("measuring memory of %s: %w", m.path, err)
	}
	return n, nil
}

// memoryCommand is the child: it runs the model on standard input and prints what that added to its memory.
func memoryCommand() *cli.Command {
	return &cli.Command{
		Name:   "memory",
		Hidden: true,
		Flags:  []cli.Flag{&cli.StringFlag{Name: "delegate", Value: infer.Auto}, &cli.IntFlag{Name: "threads", Value: 1}},
		Action: func(c *cli.Context) error {
			model, err := io.ReadAll(c.App.Reader)
			if err != nil {
				return err
			}
			before, _ := resident("VmRSS")
			_, session, err := infer.Open(runtimes(), model, infer.Options{Delegate: c.String("delegate"), Threads: c.Int("threads")})
			if err != nil {
				return err
			}
			defer session.Close()
			if err := session.Write(make([]byte, session.Input().Type.Bytes())); err != nil {
				return err
			}
			for range 3 {
				if err := session.Invoke(); err != nil {
					return err
				}
			}
			peak, _ := resident("VmHWM")
			_, err = fmt.Fprintln(c.App.Writer, max(peak-before, 0))
			return err
		},
	}
}

// resident is one of this process' figures of resident memory, in bytes, as Linux keeps them: VmRSS now, VmHWM at most.
func resident(field string) (int64, bool) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			var kB int64
			_, err := fmt.Sscan(rest, &kB)
			return kB << 10, err == nil
		}
	}
	return 0, false
}
