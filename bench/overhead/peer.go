package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"mnet-edge/bench/internal/turns"
)

// peer is the other side. When it is ready it prints "ready NAME ANSWER", the output tensor's bytes in hexadecimal digits;
// then for each line "N" it calls N times and prints the nanoseconds of each.
type peer struct {
	*turns.Process
	name   string
	answer string
}

func startPeer(command, args []string) (*peer, error) {
	cmd := exec.Command(command[0], append(command[1:len(command):len(command)], args...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	process, err := turns.Start(cmd)
	if err != nil {
		return nil, err
	}
	p := &peer{Process: process}
	for { // a library may print on its own account first
		line, err := p.Line()
		if err != nil {
			p.Stop()
			return nil, fmt.Errorf("%s: it did not get ready: %w\n%s", command[0], err, &said)
		}
		if ready, ok := strings.CutPrefix(line, "ready "); ok {
			p.name, p.answer, _ = strings.Cut(ready, " ")
			return p, nil
		}
	}
}

func (p *peer) run(n int) ([]float64, error) {
	line, err := p.Ask(n)
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
