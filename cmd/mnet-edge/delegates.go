package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mnet-edge/dataset"
	"mnet-edge/devices"
	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/infer/litert"
)

// foreign says whether a delegate is code that this program was neither built nor tested with: it is loaded at run time,
// or drives a GPU whose driver is. Such a one runs in a child process first, and its answers are compared.
func foreign(delegate string) bool {
	switch name, _, _ := strings.Cut(delegate, "="); name {
	case litert.CPU, litert.GPU, "external", "edgetpu", "tflite-gpu":
		return true
	}
	return false
}

// vet tries a foreign delegate on a model in a child process. An error that wraps infer.ErrUnavailable says why it cannot
// be used; otherwise the agreement says how far its answers are those of a runtime of our own, by.
func vet(ctx context.Context, m *infer.Model, model []byte, t trial) (a *infer.Agreement, by string, err error) {
	if t.Inputs, err = sample(ctx, m); err != nil {
		return nil, "", err
	}
	v, err := probe(ctx, model, t)
	switch {
	case errors.Is(err, infer.ErrModel): // the same model may well run elsewhere
		why := strings.TrimPrefix(err.Error(), infer.ErrModel.Error()+": ")
		return nil, "", fmt.Errorf("delegate %s: %w: %s", t.Delegate, infer.ErrUnavailable, why)
	case err != nil:
		return nil, "", err
	case v.Refused != "":
		return nil, "", unavailable(v.Refused)
	case len(v.Outputs) == 0:
		return nil, "", nil
	}
	return nearest(ctx, m, model, t.Inputs[:len(v.Outputs)], v.Outputs)
}

// nearest compares outputs with the runtimes whose arithmetic is known, the quickest first, until one's are trusted, and says how far they are
// those of the one, by, that they come nearest to. The native engine and TFLite's built-in kernels have the reference interpreter's arithmetic,
// in the two roundings in use, and are its measure in the tests; where neither has the model, the interpreter itself is asked.
func nearest(ctx context.Context, m *infer.Model, model []byte, inputs, outputs [][]byte) (best *infer.Agreement, by string, err error) {
	var refused error
	for _, delegate := range []string{"native", infer.NoDelegate, infer.ReferenceName} {
		if best != nil && (best.Trusted() || delegate == infer.ReferenceName) {
			break
		}
		_, session, err := infer.Open(runtimes(), model, infer.Options{Delegate: delegate})
		if err != nil {
			refused = err
			continue
		}
		a, err := m.Agree(ctx, session, inputs, outputs)
		if err = errors.Join(err, session.Close()); err != nil {
			return nil, "", err
		}
		if best == nil || a.Nearer(*best) {
			best, by = &a, delegate
		}
	}
	if best == nil {
		return nil, "", refused
	}
	return best, by, nil
}

// unavailable is infer.ErrUnavailable in the words of a child.
type unavailable string

func (u unavailable) Error() string { return string(u) }
func (unavailable) Unwrap() error   { return infer.ErrUnavailable }

// sampleBytes bounds the inputs that a child is given.
const sampleBytes = 32 << 20

// sample is up to a hundred inputs for a model: pictures that this program carries, brought to the model's size.
func sample(ctx context.Context, m *infer.Model) ([][]byte, error) {
	const most = 100
	set, err := dataset.Open(ctx, dataset.BuiltIn, dataset.Options{Size: 28}) // which they have
	if err != nil {
		return nil, err
	}
	split := set.Test.Limit(min(most, max(1, sampleBytes/m.Input.Type.Bytes())))
	inputs := make([][]byte, split.N)
	for i := range inputs {
		inputs[i] = make([]byte, m.Input.Type.Bytes())
		if err := m.Preprocess(inputs[i], dataset.ToRGB(split.Picture(i), m.Height, m.Width)); err != nil {
			return nil, err
		}
	}
	return inputs, nil
}

// adapterOf is the GPU that a session runs on, where its runtime names it.
func adapterOf(s infer.Session) string {
	if a, ok := s.(interface{ Adapter() string }); ok {
		return a.Adapter()
	}
	return ""
}

// tried is a Prober that lists another's devices, the foreign ones of them only after a small model ran there, in a child
// process.
type tried struct {
	devices.Prober
	ctx context.Context
}

func (p tried) Devices() []devices.Device {
	ds := p.Prober.Devices()
	for i := range ds {
		if d := &ds[i]; d.Available && foreign(d.Name) && d.Name != "external" {
			v, err := probeTiny(p.ctx, d.Name)
			if p.ctx.Err() != nil {
				break
			}
			if err != nil {
				v.Refused = oneLine(err)
			}
			if v.Refused != "" {
				d.Available, d.Reason = false, v.Refused
			}
			if v.Adapter != "" {
				d.Version += ", " + v.Adapter
			}
		}
	}
	return ds
}

// probeTiny tries a delegate on a model of one operator that every delegate knows.
func probeTiny(ctx context.Context, delegate string) (verdict, error) {
	g := graph.New("tiny")
	g.Level = graph.Folded
	x := g.Input("x", graph.Type{DType: graph.Float32, Shape: []int{1, 4}})
	w := graph.Const("w", graph.Type{DType: graph.Float32, Shape: []int{4, 4}}, make([]float32, 16))
	b := graph.Const("b", graph.Type{DType: graph.Float32, Shape: []int{4}}, make([]float32, 4))
	g.Outputs = []*graph.Value{g.Apply("dense", graph.FullyConnected{}, x, w, b)}
	model, err := tflite.Encode(g)
	if err != nil {
		return verdict{}, err
	}
	return probe(ctx, model, trial{Delegate: delegate, Threads: 1})
}
