package litert_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/infer/litert"
	"mnet-edge/quant"
)

// runtime skips where the libraries are not there.
func runtime(t *testing.T, delegate string) infer.Runtime {
	t.Helper()
	r := litert.New()
	for _, d := range r.Devices() {
		if d.Name == delegate && !d.Available {
			t.Skip(d.Reason)
		}
	}
	return r
}

func TestCPU(t *testing.T) {
	infertest.Run(t, runtime(t, litert.CPU), litert.CPU, infertest.Exceptions{
		Reference: infer.NewReference(quant.Float32),
		MaxRel:    1e-5,
		Delegated: true,
		Pool:      true,
		Cache:     true,
	})
}

// The GPU tests want a Vulkan driver, which `make gpu-test` brings, and say so by MNET_GPU.
func gpu(t *testing.T) infer.Runtime {
	t.Helper()
	if os.Getenv("MNET_GPU") == "" {
		t.Skip("MNET_GPU is not set: make gpu-test runs this on a software Vulkan")
	}
	return runtime(t, litert.GPU)
}

func TestGPU(t *testing.T) {
	infertest.Run(t, gpu(t), litert.GPU, infertest.Exceptions{
		Reference: infer.NewReference(quant.Float32),
		MaxLSB:    1, // the GPU computes int8 models in float32
		MaxRel:    1e-5,
		Delegated: true,
		Slow:      true,
	})
}

// XNNPACK takes no int16: what it leaves is found by the profiler.
func TestPlacementInPart(t *testing.T) {
	r := runtime(t, litert.CPU)
	dense := func(g *graph.Graph, x *graph.Value) *graph.Value {
		w := graph.Const("w", graph.Type{DType: graph.Float32, Shape: []int{4, 4}}, make([]float32, 16))
		b := graph.Const("b", graph.Type{DType: graph.Float32, Shape: []int{4}}, make([]float32, 4))
		return g.Apply("dense", graph.FullyConnected{}, x, w, b)
	}
	int16s := func(g *graph.Graph, x *graph.Value) *graph.Value {
		q := g.Apply("q", graph.Quantize{To: graph.Int16}, x)
		q.Type.Quant = quant.PerTensor(0.5, 0)
		return g.Apply("d", graph.Dequantize{}, q)
	}
	type layers []func(*graph.Graph, *graph.Value) *graph.Value
	for _, test := range []struct {
		layers layers
		want   infer.Placement
	}{
		{layers{int16s}, infer.Placement{Delegate: "none", TotalNodes: 2}},
		{layers{dense, int16s, dense, dense}, infer.Placement{Delegate: litert.CPU, DelegatedNodes: 3, TotalNodes: 5, Partitions: 2}},
	} {
		g := graph.New("part")
		g.Level = graph.Quantized
		x := g.Input("x", graph.Type{DType: graph.Float32, Shape: []int{1, 4}})
		for _, layer := range test.layers {
			x = layer(g, x)
		}
		g.Outputs = []*graph.Value{x}
		b, err := tflite.Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.Open(b, infer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Placement() != test.want {
			t.Errorf("%+v, want %+v", s.Placement(), test.want)
		}
		s.Close()
	}
}

// LiteRT 2.3 ends the process over a signature without names; the copy that it gets has no signatures.
func TestDamagedSignatures(t *testing.T) {
	r := runtime(t, litert.CPU)
	b, err := infertest.Model(infertest.Small, infertest.Int8, 3)
	if err != nil {
		t.Fatal(err)
	}
	opened := 0
	mutants := 0
	for at := 0; at < min(len(b), 4096); at += 9 { // the root and the signatures lie at the start of the file
		for bit := at % 2; bit < 8; bit += 4 {
			mutants++
			mutant := bytes.Clone(b)
			mutant[at] ^= 1 << bit
			s, err := r.Open(mutant, infer.Options{})
			if err != nil {
				if !errors.Is(err, infer.ErrModel) {
					t.Errorf("bit %d of byte %d: %v, want ErrModel", bit, at, err)
				}
				continue
			}
			opened++
			if err := s.Invoke(); err != nil {
				t.Errorf("bit %d of byte %d: %v", bit, at, err)
			}
			s.Close()
		}
	}
	t.Logf("%d mutants, %d of them harmless", mutants, opened)
}
