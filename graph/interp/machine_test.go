package interp

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/interp/interptest"
	"mnet-edge/quant"
)

// mixed is float32 -> int8 layers -> float32, every buffer kind in one graph.
func mixed() *graph.Graph {
	r := rand.New(rand.NewPCG(5, 6))
	g := graph.New("mixed")
	g.Level = graph.Quantized
	x := g.Input("x", floatType(1, 6, 6, 3))
	q := g.Apply("q", graph.Quantize{To: graph.Int8}, x)
	q.Type.Quant = quant.PerTensor(0.02, 5)
	c := randomLayer(r, g, "conv", graph.Conv2D{Window: graph.Dense(1, graph.Same), Act: graph.ReLU}, q, []int{10, 3, 3, 3}, true, -128)
	d := randomLayer(r, g, "depthwise", graph.DepthwiseConv2D{Window: graph.Dense(2, graph.Same)}, c, []int{1, 3, 3, 10}, true, 3)
	m := g.Apply("mean", graph.Mean{Axes: []int{1, 2}}, d)
	m.Type.Quant = d.Type.Quant
	f := randomLayer(r, g, "fc", graph.FullyConnected{}, m, []int{4, 10}, false, 0)
	g.Outputs = []*graph.Value{g.Apply("y", graph.Dequantize{}, f), c}
	return g
}

func TestRunRefusesInputs(t *testing.T) {
	m := machine(t, mixed(), Options{})
	for _, c := range []struct {
		in   []any
		want string
	}{
		{nil, "interp: 0 inputs: want 1"},
		{[]any{make([]float32, 108), make([]float32, 108)}, "interp: 2 inputs: want 1"},
		{[]any{make([]float32, 107)}, `interp: input "x": 107 elements of float32: want 108 elements of float32`},
		{[]any{make([]int8, 108)}, `interp: input "x": 108 elements of int8: want 108 elements of float32`},
		{[]any{make([]float64, 108)}, `interp: input "x": []float64: want 108 elements of float32`},
		{[]any{nil}, `interp: input "x": <nil>: want 108 elements of float32`},
	} {
		if _, err := m.Run(c.in...); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	conv := graph.Conv2D{Window: graph.Dense(1, graph.Valid)}
	for _, c := range []struct {
		name, want string
		build      func(g *graph.Graph) *graph.Value
	}{
		{"a graph that fails its check", `output "x" is not defined`, func(g *graph.Graph) *graph.Value {
			return graph.Const("x", floatType(1), nil)
		}},
		{"computed weights", `weight "w" is not a constant`, func(g *graph.Graph) *graph.Value {
			return g.Apply("y", conv, g.Input("x", floatType(1, 2, 2, 1)), g.Input("w", floatType(1, 1, 1, 1)))
		}},
		{"an int32 activation", "no kernel for int32", func(g *graph.Graph) *graph.Value {
			g.Level = graph.Quantized
			x := g.Input("x", graph.Type{DType: graph.Int32, Shape: []int{1}, Quant: quant.PerTensor(1, 0)})
			return g.Apply("y", graph.Dequantize{}, x)
		}},
		{"an int64 constant", "no kernel from int64", func(g *graph.Graph) *graph.Value {
			g.Level = graph.Quantized
			g.Input("x", floatType(1))
			return g.Apply("y", graph.Dequantize{}, graph.Const("c", graph.Type{DType: graph.Int64, Shape: []int{1}, Quant: quant.PerTensor(1, 0)}, []int64{1}))
		}},
		{"a quantization per channel of an activation", "want one scale", func(g *graph.Graph) *graph.Value {
			g.Level = graph.Quantized
			y := g.Apply("y", graph.Quantize{To: graph.Int8}, g.Input("x", floatType(1, 2)))
			y.Type.Quant = quant.PerChannel([]float32{1, 2}, 1)
			return y
		}},
		{"more than fits", "more than 268435455 elements", func(g *graph.Graph) *graph.Value {
			side := 1 << 13
			x := g.Input("x", floatType(1, side, side, 3))
			return g.Apply("y", graph.Activate{Act: graph.ReLU}, x)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := graph.New("bad")
			g.Outputs = []*graph.Value{c.build(g)}
			if _, err := New(g, Options{}); err == nil || !strings.HasPrefix(err.Error(), "interp: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, err := New(mixed(), Options{Rounding: quant.Float32 + 1}); err == nil {
		t.Error("accepts an unknown rounding")
	}
}

// Taps come in execution order, inputs first, with what the graph's own outputs say.
func TestTap(t *testing.T) {
	g := mixed()
	var names []string
	seen := map[string]any{}
	m := machine(t, g, Options{Tap: func(v *graph.Value, data any) {
		names = append(names, v.Name)
		seen[v.Name] = data
	}})
	in := randomFloats(rand.New(rand.NewPCG(7, 8)), 108)
	out, err := m.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"x", "q", "conv", "depthwise", "mean", "fc", "y"}; !slices.Equal(names, want) {
		t.Errorf("taps %q, want %q", names, want)
	}
	if !reflect.DeepEqual(seen["x"], in) || !reflect.DeepEqual(seen["y"], out[0]) || !reflect.DeepEqual(seen["conv"], out[1]) {
		t.Error("a tap saw other data than the input and the outputs")
	}
}

func TestRunAllocatesNothing(t *testing.T) {
	taps := 0
	m := machine(t, mixed(), Options{Tap: func(*graph.Value, any) { taps++ }})
	var in any = make([]float32, 108)
	if n := testing.AllocsPerRun(10, func() {
		if _, err := m.Run(in); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
	if taps != 11*7 {
		t.Errorf("%d taps", taps)
	}
}

// Machines of one graph in as many goroutines give what one gives. The race detector watches what they share.
func TestMachinesAreIndependent(t *testing.T) {
	const images = 12
	g := mixed()
	in := func(i int) []float32 { return randomFloats(rand.New(rand.NewPCG(uint64(i), 0)), 108) }
	one := machine(t, g, Options{})
	var want, got [images][]float32
	for i := range images {
		want[i] = slices.Clone(run(t, one, in(i)).([]float32))
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			m, err := New(g, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			for i := worker; i < images; i += 4 {
				out, err := m.Run(in(i))
				if err != nil {
					t.Error(err)
					return
				}
				got[i] = slices.Clone(out[0].([]float32))
			}
		})
	}
	wg.Wait()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("together %v, alone %v", got, want)
	}
}

// The bits of a float32 network's output. They must not depend on the processor or on the compiler's use of fused
// multiply-adds (on amd64: GOAMD64=v3).
func TestFloatBits(t *testing.T) {
	const want = "6a1b156d15be427d"
	g := randomNet(spec(0.25), graph.Float32)
	in := randomLike(rand.New(rand.NewPCG(9, 10)), g.Inputs[0])
	if got := interptest.Sum(littleEndian(t, eval(t, g, quant.Double, in))); got != want {
		t.Errorf("output sums to %s, want %s", got, want)
	}
}

func ExampleMachine_Run() {
	// Two pixels, one channel: y = relu(2*x - 3).
	g := graph.New("example")
	x := g.Input("x", graph.Type{DType: graph.Float32, Shape: []int{1, 1, 2, 1}})
	w := graph.Const("w", graph.Type{DType: graph.Float32, Shape: []int{1, 1, 1, 1}}, []float32{2})
	b := graph.Const("b", graph.Type{DType: graph.Float32, Shape: []int{1}}, []float32{-3})
	g.Outputs = []*graph.Value{g.Apply("y", graph.Conv2D{Window: graph.Dense(1, graph.Same), Act: graph.ReLU}, x, w, b)}

	m, err := New(g, Options{Tap: func(v *graph.Value, data any) { fmt.Println(v.Name, data) }})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := m.Run([]float32{1, 5}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// x [1 5]
	// y [0 7]
}
