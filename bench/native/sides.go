package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"

	"mnet-edge/bench/internal/turns"
	"mnet-edge/infer"
)

// side is one of those compared, with a model and an input ready.
type side interface {
	// turn makes calls and tells what each took, in microseconds.
	turn(calls int) ([]float64, error)
	// answer is the output's bytes.
	answer() []byte
	close()
}

// runner is how to get a side.
type runner struct {
	name string
	open func(file, input string) (side, error) // of a .tflite and a file of the input's bytes
}

// inProcess is a runner of one of our own runtimes.
func inProcess(name string, r infer.Runtime, delegate string, threads int) runner {
	return runner{name, func(file, input string) (side, error) { return openSession(r, delegate, threads, file, input) }}
}

// session is one that has made its first call.
type session struct {
	infer.Session
	out []byte
}

func openSession(r infer.Runtime, delegate string, threads int, file, input string) (*session, error) {
	model, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	in, err := os.ReadFile(input)
	if err != nil {
		return nil, err
	}
	s, err := r.Open(model, infer.Options{Delegate: delegate, Threads: threads})
	if err != nil {
		return nil, err
	}
	out := make([]byte, s.Output().Type.Bytes())
	if err := infer.Call(s, in, out); err != nil {
		s.Close()
		return nil, err
	}
	return &session{s, out}, nil
}

func (s *session) turn(calls int) ([]float64, error) { return infer.Times(s, calls) }
func (s *session) answer() []byte                    { return s.out }
func (s *session) close()                            { s.Session.Close() }

// liteRT is a runner of litert.py by a Python that has LiteRT.
func liteRT(python string, threads int) runner {
	_, source, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(source), "litert.py")
	return runner{"LiteRT", func(file, input string) (side, error) {
		p, err := turns.Start(exec.Command(python, script, file, input, strconv.Itoa(threads)))
		if err != nil {
			return nil, err
		}
		if len(p.Answer) == 0 {
			p.Stop()
			return nil, fmt.Errorf("%s does not say what it computes", p.Name)
		}
		return process{p}, nil
	}}
}

// process is a side that runs elsewhere.
type process struct{ *turns.Process }

func (p process) turn(calls int) ([]float64, error) { return p.Times(calls) }
func (p process) answer() []byte                    { return p.Answer }
func (p process) close()                            { p.Stop() }
