package litert_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"slices"
	"testing"

	"mnet-edge/dataset"
	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/infer/litert"
	"mnet-edge/quant"
)

// runtime skips where the libraries are not there, but in make gpu-test, which brings them.
func runtime(t *testing.T, delegate string) infer.Runtime {
	t.Helper()
	r := litert.New()
	for _, d := range r.Devices() {
		if d.Name != delegate || d.Available {
			continue
		}
		if os.Getenv("MNET_GPU") != "" {
			t.Fatal(d.Reason)
		}
		t.Skip(d.Reason)
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
		MaxLSB:    2, // the GPU computes int8 models in float32, without their roundings between layers
		MaxRel:    1e-5,
		Delegated: true,
		Slow:      true,
	})
}

// XNNPACK takes no int16: what it leaves is found by the profiler.
func TestPlacementInPart(t *testing.T) {
	r := runtime(t, litert.CPU)
	for _, test := range []struct {
		layers []layer
		want   infer.Placement
	}{
		{[]layer{int16s}, infer.Placement{Delegate: "none", TotalNodes: 2}},
		{[]layer{dense, int16s, dense, dense}, infer.Placement{Delegate: litert.CPU, DelegatedNodes: 3, TotalNodes: 5, Partitions: 2}},
	} {
		s, err := r.Open(partModel(t, test.layers...), infer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Placement() != test.want {
			t.Errorf("%+v, want %+v", s.Placement(), test.want)
		}
		s.Close()
	}
}

// A layer is some operators of a small model.
type layer func(*graph.Graph, *graph.Value) *graph.Value

func dense(g *graph.Graph, x *graph.Value) *graph.Value {
	return g.Apply("dense", graph.FullyConnected{}, x, graphtest.Const("w", nil, 4, 4), graphtest.Const("b", nil, 4))
}

func int16s(g *graph.Graph, x *graph.Value) *graph.Value {
	q := graphtest.As(g.Apply("q", graph.Quantize{To: graph.Int16}, x), 0.5, 0)
	return g.Apply("d", graph.Dequantize{}, q)
}

func partModel(t *testing.T, layers ...layer) []byte {
	t.Helper()
	g := graph.New("part")
	g.Level = graph.Quantized
	x := g.Input("x", graphtest.Floats(1, 4))
	for _, l := range layers {
		x = l(g, x)
	}
	g.Outputs = []*graph.Value{x}
	b, err := tflite.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	return b
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
				if !errors.Is(err, infer.ErrModel) && !errors.Is(err, infer.ErrUnavailable) { // refused by us, or by LiteRT
					t.Errorf("bit %d of byte %d: %v, want ErrModel or ErrUnavailable", bit, at, err)
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
	if opened == 0 || opened == mutants {
		t.Errorf("%d of %d mutants opened: want some that do and some that don't", opened, mutants)
	}
}

// Real images: the GPU computes what XNNPACK does. Both tests of a model, since an int8 one is dequantized for a GPU.
func TestGPUOnImages(t *testing.T) {
	r := gpu(t)
	archive := os.Getenv("MNET_CIFAR10")
	if archive == "" {
		t.Skip("MNET_CIFAR10 is not set")
	}
	int8s, err := os.ReadFile("../../graph/interp/testdata/vectors/cifar10/model.tflite")
	if err != nil {
		t.Fatal(err)
	}
	floats := dequantized(t, int8s)
	set, err := dataset.Open(t.Context(), archive, dataset.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	images := set.Test.Limit(200)
	for name, b := range map[string][]byte{"float": floats, "int8": int8s} {
		m, err := infer.Load(b, infer.Given{})
		if err != nil {
			t.Fatal(err)
		}
		var logits [2][][]float32
		for i, delegate := range []string{litert.CPU, litert.GPU} {
			s, err := r.Open(b, infer.Options{Delegate: delegate})
			if err != nil {
				t.Fatal(err)
			}
			if p := s.Placement(); p.DelegatedNodes != p.TotalNodes || p.Delegate != delegate {
				t.Errorf("%s on %s: %+v", name, delegate, p)
			}
			for i2 := range images.N {
				in, out, scores := make([]byte, m.Input.Type.Bytes()), make([]byte, m.Output.Type.Bytes()), make([]float32, m.Classes)
				err := errors.Join(m.Preprocess(in, images.Image(i2)), s.Write(in), s.Invoke(), s.Read(out), m.Scores(scores, out))
				if err != nil {
					t.Fatal(err)
				}
				logits[i] = append(logits[i], scores)
			}
			s.Close()
		}
		same, apart := 0, 0.0
		for i := range images.N {
			cpu, gpu := logits[0][i], logits[1][i]
			if slices.Index(cpu, slices.Max(cpu)) == slices.Index(gpu, slices.Max(gpu)) {
				same++
			}
			for c := range cpu {
				apart = max(apart, math.Abs(float64(cpu[c]-gpu[c])))
			}
		}
		t.Logf("%s: %d of %d images in the same class, logits at most %.2g apart", name, same, images.N, apart)
		if 100*same < 99*images.N || name == "float" && apart > 1e-4 {
			t.Errorf("%s: %d of %d images in the same class, logits at most %.2g apart", name, same, images.N, apart)
		}
	}
}

// dequantized is the float32 model with the weights of an int8 one.
func dequantized(t *testing.T, model []byte) []byte {
	t.Helper()
	g, err := infer.Decode(model)
	if err != nil {
		t.Fatal(err)
	}
	f := graph.New(g.Name)
	f.Level, f.Meta = graph.Folded, g.Meta
	made := map[*graph.Value]*graph.Value{}
	float := func(v *graph.Value) *graph.Value {
		if made[v] == nil {
			made[v] = floatConstant(t, v)
		}
		return made[v]
	}
	in := g.Inputs[0]
	made[in] = f.Input(in.Name, graphtest.Floats(in.Type.Shape...))
	for _, n := range g.Nodes {
		switch n.Op.(type) {
		case graph.Quantize, graph.Dequantize:
			made[n.Out] = float(n.In[0])
			continue
		}
		var args []*graph.Value
		for _, v := range n.In {
			args = append(args, float(v))
		}
		made[n.Out] = f.Apply(n.Out.Name, n.Op, args...)
	}
	f.Outputs = []*graph.Value{made[g.Outputs[0]]}
	b, err := tflite.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// floatConstant is a constant of an integer model in real numbers.
func floatConstant(t *testing.T, v *graph.Value) *graph.Value {
	t.Helper()
	shape := v.Type.Shape
	data := make([]float32, v.Type.Elements())
	channels, stride := 1, 1
	if q := v.Type.Quant; len(q.Scale) > 1 {
		channels = shape[q.Axis]
		for _, d := range shape[q.Axis+1:] {
			stride *= d
		}
	}
	for i := range data {
		scale, zero := v.Type.Quant.At(i / stride % channels)
		switch x := v.Data.(type) {
		case []int8:
			data[i] = scale * float32(int32(x[i])-zero)
		case []int32:
			data[i] = scale * float32(x[i]-zero)
		default:
			t.Fatalf("%q is %T", v.Name, v.Data)
		}
	}
	return graph.Const(v.Name, graphtest.Floats(shape...), data)
}
