package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"mnet-edge/infer"
	"mnet-edge/infer/native"
)

// run makes calls of a model by a runtime: xnnpack, native, or a family of native's kernels.
func run(path, name string, calls int) error {
	file, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	r, delegate := peer(name)
	if r == nil {
		family := native.Family(name)
		if name == native.Name {
			family = ""
		}
		r, delegate = native.New(native.Options{Family: family}), native.Name
	}
	s, err := r.Open(file, infer.Options{Delegate: delegate, Threads: 1})
	if err != nil {
		return err
	}
	defer s.Close()
	p := s.Placement()
	fmt.Printf("nodes %d/%d\n", p.DelegatedNodes, p.TotalNodes)
	in, out := make([]byte, s.Input().Type.Bytes()), make([]byte, s.Output().Type.Bytes())
	rand.NewChaCha8([32]byte{1}).Read(in)
	if err := s.Write(in); err != nil {
		return err
	}
	for range calls {
		if err := s.Invoke(); err != nil {
			return err
		}
	}
	if err := s.Read(out); err != nil {
		return err
	}
	if len(out) == 0 {
		return errors.New("the model has no answer")
	}
	return nil
}
