// Package turns is what benchmarks against other programs share: a process that says when it is ready, works when a line tells it to, and
// waits in between, so that it and what it is compared with can take turns.
package turns

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// Process is such a process.
type Process struct {
	Name   string // what it says that it is
	Answer []byte // what it says that it computes; empty where it says nothing of that

	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	said strings.Builder // on standard error
}

// Start starts cmd, whose standard input, output and error it takes, and waits until it is ready: until it prints "ready NAME" or, with an
// answer in hexadecimal digits, "ready NAME: ANSWER". A library may print on its own account before. In the end it is to be stopped.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd}
	cmd.Stderr = &p.said
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
	p.in, p.out = in, bufio.NewReaderSize(out, 1<<20)
	for p.Name == "" {
		line, err := p.line()
		if said, ok := strings.CutPrefix(line, "ready "); ok && err == nil {
			name, answer, _ := strings.Cut(said, ": ")
			p.Name = name
			p.Answer, err = hex.DecodeString(answer)
		}
		if err != nil {
			p.Stop()
			return nil, fmt.Errorf("it did not get ready: %w", err)
		}
	}
	return p, nil
}

func (p *Process) line() (string, error) {
	line, err := p.out.ReadString('\n')
	if errors.Is(err, io.EOF) {
		_ = p.cmd.Wait() // for all that it has said
		err = fmt.Errorf("%s ended early: %w\n%s", p.cmd.Path, io.ErrUnexpectedEOF, p.said.String())
	}
	return strings.TrimSuffix(line, "\n"), err
}

// Ask tells it to do n of what it does. Its answer is a line of numbers.
func (p *Process) Ask(n int) ([]float64, error) {
	if _, err := fmt.Fprintln(p.in, n); err != nil {
		return nil, err
	}
	line, err := p.line()
	if err != nil {
		return nil, err
	}
	var numbers []float64
	for _, word := range strings.Fields(line) {
		x, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, fmt.Errorf("%s printed %q: %w", p.cmd.Path, word, err)
		}
		numbers = append(numbers, x)
	}
	return numbers, nil
}

// Times are the microseconds of n calls, of a process that answers with the nanoseconds of each.
func (p *Process) Times(n int) ([]float64, error) {
	took, err := p.Ask(n)
	if err == nil && len(took) != n {
		err = fmt.Errorf("%s: %d times of %d calls", p.Name, len(took), n)
	}
	for i := range took {
		took[i] /= 1e3
	}
	return took, err
}

// Stop ends it: it ends at the end of its input.
func (p *Process) Stop() {
	p.in.Close()
	_ = p.cmd.Wait() // it has said what it had to say
}

// Median is the middle of several ratios, or between the two middle ones. That of times is infer.Quantile's, one that was measured.
func Median(ratios []float64) float64 {
	r := slices.Sorted(slices.Values(ratios))
	return (r[(len(r)-1)/2] + r[len(r)/2]) / 2
}
