package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
)

// peer is the other side. When it is ready it prints "ready NAME ANSWER", the output tensor's bytes in hexadecimal digits;
// then for each line "N" it calls N times and prints the nanoseconds of each.
type peer struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	name   string
	answer string
}

func startPeer(command, args []string) (*peer, error) {
	cmd := exec.Command(command[0], append(command[1:len(command):len(command)], args...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
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
	p := &peer{cmd: cmd, in: in, out: bufio.NewReaderSize(out, 1<<20)}
	for { // a library may print on its own account first
		line, err := p.out.ReadString('\n')
		if err != nil {
			p.stop()
			return nil, fmt.Errorf("%s: it did not get ready: %w\n%s", command[0], err, &said)
		}
		if ready, ok := strings.CutPrefix(line, "ready "); ok {
			p.name, p.answer, _ = strings.Cut(ready, " ")
			return p, nil
		}
	}
}

func (p *peer) run(n int) ([]float64, error) {
	if _, err := fmt.Fprintln(p.in, n); err != nil {
		return nil, err
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return nil, err
	}
	var took []float64
	for _, field := range strings.Fields(line) {
		ns, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return nil, err
		}
		took = append(took, ns/1e3)
	}
	if len(took) != n {
		return nil, fmt.Errorf("%s: %d times of %d calls", p.name, len(took), n)
	}
	return took, nil
}

func (p *peer) stop() {
	p.in.Close()
	_ = p.cmd.Wait()
}
