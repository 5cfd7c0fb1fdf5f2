// Package turns is what benchmarks against other programs share: a process that says when it is ready, works when a line tells it to, and
// waits in between, so that it and what it is compared with can take turns.
package turns

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// Process is such a process.
type Process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Start starts cmd, whose standard input and output it takes. Whoever starts it reads its first line, and in the end stops it.
func Start(cmd *exec.Cmd) (*Process, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Process{cmd, in, bufio.NewReaderSize(out, 1<<20)}, nil
}

// Line is the next line that it prints.
func (p *Process) Line() (string, error) {
	line, err := p.out.ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%s ended early: %w", p.cmd.Path, io.ErrUnexpectedEOF)
	}
	return strings.TrimSuffix(line, "\n"), err
}

// Ask tells it to do n of what it does; its line is the answer.
func (p *Process) Ask(n int) (string, error) {
	if _, err := fmt.Fprintln(p.in, n); err != nil {
		return "", err
	}
	return p.Line()
}

// Stop ends it: it ends at the end of its input.
func (p *Process) Stop() {
	p.in.Close()
	_ = p.cmd.Wait() // it has said what it had to say
}

// Median is the middle of v, or between the two middle ones.
func Median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
