package native_test

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/infer/native"
	"mnet-edge/quant"
)

// Integers have the reference's bits, by every family and in both arithmetics.
func TestConformance(t *testing.T) {
	for _, f := range native.Families() {
		for r, reference := range map[native.Rounding]quant.Rounding{native.XNNPACK: quant.Float32, native.Reference: quant.Double} {
			t.Run(string(f)+"/"+reference.String(), func(t *testing.T) {
				ref := infer.NewReference(reference)
				runtime := orReference{native.New(native.Options{Family: f, Rounding: r}), ref}
				infertest.Run(t, runtime, native.Name, infertest.Exceptions{Reference: ref, Delegated: true})
			})
		}
	}
}

// orReference hands the float networks that native refuses to the reference, as infer.Open does: the suite has some.
type orReference struct {
	infer.Runtime
	reference infer.Runtime
}

func (r orReference) Open(model []byte, opts infer.Options) (infer.Session, error) {
	s, err := r.Runtime.Open(model, opts)
	if g, bad := tflite.Decode(model); bad != nil || g.Level == graph.Quantized || opts.Delegate != native.Name {
		return s, err
	}
	if !errors.Is(err, infer.ErrUnavailable) {
		return nil, fmt.Errorf("a float network: %v, want ErrUnavailable", err)
	}
	opts.Delegate = ""
	s, err = r.reference.Open(model, opts)
	return handedOn{s}, err
}

// handedOn is a float network's session, with the placement that the suite wants of all.
type handedOn struct{ infer.Session }

func (s handedOn) Placement() infer.Placement {
	n := s.Session.Placement().TotalNodes
	return infer.Placement{Delegate: native.Name, DelegatedNodes: n, TotalNodes: n, Partitions: 1}
}

// A float network is refused with the operator's name, and another runtime has it.
func TestRefusesFloat(t *testing.T) {
	b, err := infertest.Model(infertest.Small, infertest.Float, 1)
	if err != nil {
		t.Fatal(err)
	}
	n := native.New(native.Options{})
	_, err = n.Open(b, infer.Options{})
	if !errors.Is(err, infer.ErrUnavailable) || !strings.Contains(err.Error(), `conv2d "conv1"`) {
		t.Errorf("%v: want ErrUnavailable, naming the first convolution", err)
	}
	r, s, err := infer.Open([]infer.Runtime{n, infer.NewReference(quant.Double)}, b, infer.Options{Delegate: infer.Auto})
	if err != nil || r.Name() != infer.ReferenceName {
		t.Fatalf("%v, error %v", r, err)
	}
	s.Close()
}

// What cannot be run is refused by name, not tried.
func TestRefuses(t *testing.T) {
	image := graphtest.Ints(graph.Int8, 1, 0, 1, 512, 512, 1)
	for _, test := range []struct {
		name  string
		build func(g *graph.Graph, x *graph.Value) *graph.Value
		want  string
	}{
		{"window", func(g *graph.Graph, x *graph.Value) *graph.Value {
			return conv(g, x, 65, 1, 0)
		}, `conv2d "y": not available: a window of 4225 taps`},
		{"overflow", func(g *graph.Graph, x *graph.Value) *graph.Value {
			return conv(g, x, 1, 127, math.MaxInt32)
		}, "may overflow"},
		{"memory", func(g *graph.Graph, x *graph.Value) *graph.Value {
			pad := graph.Pad{Before: []int{0, 0, 0, 0}, After: []int{127, 0, 0, 0}}
			q := x.Type.Quant
			x = g.Apply("pad", pad, x)
			x.Type.Quant = q
			return x
		}, "take more than"},
	} {
		g := graph.New(test.name)
		g.Level = graph.Quantized
		g.Outputs = []*graph.Value{test.build(g, g.Input("x", image))}
		b, err := tflite.Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range native.Families() {
			_, err := native.New(native.Options{Family: f}).Open(b, infer.Options{})
			if !errors.Is(err, infer.ErrUnavailable) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s, %s: %v, want ErrUnavailable with %q", test.name, f, err, test.want)
			}
		}
	}
}

// Scales whose ratio is beyond float32: 0 stays 0, everything else is at an end, on every family.
func TestRatioBeyondFloat32(t *testing.T) {
	for weight, want := range map[int8][3]int8{0: {5, 5, 5}, 1: {-128, 5, 127}} {
		g := graph.New("ratio")
		g.Level = graph.Quantized
		y := conv(g, g.Input("x", graphtest.Ints(graph.Int8, 1e20, 0, 1, 16, 16, 1)), 1, weight, 0)
		g.Outputs = []*graph.Value{graphtest.As(y, 1e-20, 5)}
		b, err := tflite.Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		in := make([]byte, 256)
		for i := range in {
			in[i] = byte(int8(i%3 - 1))
		}
		for _, f := range native.Families() {
			s, err := native.New(native.Options{Family: f}).Open(b, infer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			out := make([]byte, 256)
			if err := errors.Join(s.Write(in), s.Invoke(), s.Read(out)); err != nil {
				t.Fatal(err)
			}
			s.Close()
			for i, q := range out {
				if int8(q) != want[i%3] {
					t.Fatalf("%s, weight %d: %d gives %d, want %d", f, weight, int8(in[i]), int8(q), want[i%3])
				}
			}
		}
	}
}

// Nor is the mean of nothing but zero points anything else where both terms of its sum are beyond float32.
func TestMeanBeyondFloat32(t *testing.T) {
	g := graph.New("mean")
	g.Level = graph.Quantized
	y := g.Apply("y", graph.Mean{Axes: []int{1, 2}}, g.Input("x", graphtest.Ints(graph.Int8, 1e38, -128, 1, 2, 1, 1)))
	g.Outputs = []*graph.Value{graphtest.As(y, 1e-5, 5)}
	b, err := tflite.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range native.Families() {
		s, err := native.New(native.Options{Family: f}).Open(b, infer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for second, want := range map[byte]int8{0x80: 5, 0x81: 127} {
			out := make([]byte, 1)
			if err := errors.Join(s.Write([]byte{0x80, second}), s.Invoke(), s.Read(out)); err != nil || int8(out[0]) != want {
				t.Errorf("%s: of -128 and %d %d, %v, want %d", f, int8(second), int8(out[0]), err, want)
			}
		}
		s.Close()
	}
}

// A pool whose window is the image has as many taps as pixels at each pixel: no table is made of them, which a file of a few hundred bytes
// could ask for by the gigabyte.
func TestPoolTable(t *testing.T) {
	for _, fn := range []graph.PoolFunc{graph.Average, graph.Max} {
		g := graph.New("pool")
		g.Level = graph.Quantized
		const side = 120
		x := g.Input("x", graphtest.Ints(graph.Int8, 1, 0, 1, side, side, 1))
		y := g.Apply("y", graph.Pool{Fn: fn, Window: graph.Dense(1, graph.Same), Size: [2]int{side, side}}, x)
		g.Outputs = []*graph.Value{graphtest.As(y, 1, 0)}
		b, err := tflite.Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range native.Families() {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			s, err := native.New(native.Options{Family: f}).Open(b, infer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
				t.Errorf("%s: opening the model took %d MB", f, took>>20)
			}
		}
	}
}

// Tables of offsets and buffers are counted node by node, over all of them: what would take too much is refused before it does.
func TestMemoryOfManyNodes(t *testing.T) {
	w := graph.Const("w", graphtest.Ints(graph.Int8, 1, 0, 1, 64, 64, 1), make([]int8, 4096))
	b := graph.Const("b", graphtest.Ints(graph.Int32, 1, 0, 1), []int32{0})
	zeros := make([]int, 4)
	for name, c := range map[string]struct {
		side, nodes int
		op          graph.Op
		in          []*graph.Value
	}{
		"pads of nothing": {4096, 12, graph.Pad{Before: zeros, After: zeros}, nil},
		"a large pad":     {16383, 1, graph.Pad{Before: zeros, After: zeros}, nil},
		"large windows":   {64, 40, graph.DepthwiseConv2D{Window: graph.Dense(1, graph.Same)}, []*graph.Value{w, b}},
	} {
		g := graph.New(name)
		g.Level = graph.Quantized
		x := g.Input("x", graphtest.Ints(graph.Int8, 1, 0, 1, c.side, c.side, 1))
		for i := range c.nodes {
			x = graphtest.As(g.Apply(fmt.Sprint("y", i), c.op, append([]*graph.Value{x}, c.in...)...), 1, 0)
		}
		g.Outputs = []*graph.Value{x}
		b, err := tflite.Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = native.New(native.Options{Family: native.Families()[0]}).Open(b, infer.Options{})
		runtime.ReadMemStats(&after)
		if !errors.Is(err, infer.ErrUnavailable) || !strings.Contains(err.Error(), "until here take more than") {
			t.Errorf("%s: error %v", name, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 800<<20 {
			t.Errorf("%s: opening the model took %d MB", name, took>>20)
		}
	}
}

// A session says how many threads it has: no more than there are processors, and one for what is not worth sharing.
func TestThreadsUsed(t *testing.T) {
	for _, alone := range []bool{false, true} {
		g := graph.New("small")
		g.Level = graph.Quantized
		x := g.Input("x", graphtest.Ints(graph.Int8, 1, 0, 1, 4, 4, 1))
		if alone {
			g.Outputs = []*graph.Value{graphtest.As(g.Apply("y", graph.Reshape{Shape: []int{16}}, x), 1, 0)}
		} else {
			g.Outputs = []*graph.Value{conv(g, x, 3, 1, 0)}
		}
		b, err := tflite.Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range native.Families() {
			s, err := native.New(native.Options{Family: f}).Open(b, infer.Options{Threads: 64})
			if err != nil {
				t.Fatal(err)
			}
			if n := s.(infer.Threaded).Threads(); n < 1 || n > runtime.GOMAXPROCS(0) || n != 1 && (alone || f == native.Portable) {
				t.Errorf("%s, nothing to share %v: %d threads", f, alone, n)
			}
			s.Close()
		}
	}
}

// conv applies a filter of k x k taps that are all w.
func conv(g *graph.Graph, x *graph.Value, k int, w int8, bias int32) *graph.Value {
	l := graphtest.Layer{Op: graph.Conv2D{Window: graph.Dense(1, graph.Same)}, Shape: []int{1, k, k, 1}, Scale: []float32{1},
		Weight: func(int) int8 { return w }, Bias: func(int) int32 { return bias }}
	return graphtest.As(l.Apply(g, "y", x), 1, 0)
}

func TestFamily(t *testing.T) {
	open := func(opts native.Options) (version string, err error) {
		b, err := infertest.Model(infertest.Small, infertest.Int8, 1)
		if err != nil {
			t.Fatal(err)
		}
		r := native.New(opts)
		s, err := r.Open(b, infer.Options{})
		if d := r.Devices()[0]; d.Name != native.Name || d.Available != (err == nil) || d.Available == (d.Reason != "") {
			t.Errorf("%+v: device %+v, error %v", opts, d, err)
		}
		if err == nil {
			s.Close()
		}
		return r.Version(), err
	}
	for _, test := range []struct {
		env  string
		opts native.Options
		want string // "" is ErrUnavailable
	}{
		{"", native.Options{}, string(native.Families()[0]) + ", float32 rounding"},
		{"portable", native.Options{}, "portable, float32 rounding"},
		{"abacus", native.Options{Family: native.Portable, Rounding: native.Reference}, "portable, double rounding"},
		{"abacus", native.Options{}, ""},
		{"", native.Options{Family: "abacus"}, ""},
	} {
		t.Setenv(native.EnvFamily, test.env)
		version, err := open(test.opts)
		if test.want == "" && !errors.Is(err, infer.ErrUnavailable) || test.want != "" && (err != nil || version != test.want) {
			t.Errorf("%s=%s, %+v: version %q, error %v; want %q", native.EnvFamily, test.env, test.opts, version, err, test.want)
		}
	}
}
