//go:build tflite && cgo

package tflitec_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/infer/tflitec"
	"mnet-edge/quant"
)

// Integers have the reference's bits under the rounding that each kernel library has; floats differ by the order of sums.
func TestBuiltin(t *testing.T) {
	infertest.Run(t, tflitec.New(), infer.NoDelegate, infertest.Exceptions{
		Reference: infer.NewReference(quant.DoubleUp),
		MaxRel:    1e-5,
	})
}

func TestXNNPACK(t *testing.T) {
	infertest.Run(t, tflitec.New(), tflitec.XNNPACK, infertest.Exceptions{
		Reference: infer.NewReference(quant.Float32),
		MaxRel:    1e-5,
		Delegated: true,
		Pool:      true,
		Cache:     true,
	})
}

func TestVersion(t *testing.T) {
	if v := tflitec.New().Version(); v != "2.20.0" {
		t.Errorf("TensorFlow Lite %s: the declarations in native/include are of 2.20.0", v)
	}
}

// A PAD of seven dimensions passes the file's check but not the library's, whose own words are in the error.
func TestRefusalNamesTheReason(t *testing.T) {
	g := graph.New("seven dimensions")
	g.Level = graph.Folded
	x := g.Input("x", graphtest.Floats(1, 1, 1, 1, 1, 1, 2))
	zeros := make([]int, 7)
	g.Outputs = []*graph.Value{g.Apply("y", graph.Pad{Before: zeros, After: zeros}, x)}
	b, err := tflite.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, delegate := range []string{"", infer.NoDelegate} {
		_, err = tflitec.New().Open(b, infer.Options{Delegate: delegate})
		if !errors.Is(err, infer.ErrModel) || !strings.Contains(err.Error(), "pad.cc") {
			t.Errorf("delegate %q: %v, want ErrModel with TFLite's message", delegate, err)
		}
	}
}

// XNNPACK takes no int16. A delegate that is asked for and takes nothing is not what the placement names; one that takes
// the operators on both sides runs two partitions.
func TestPlacementInPart(t *testing.T) {
	dense := func(g *graph.Graph, x *graph.Value) *graph.Value {
		return g.Apply("dense", graph.FullyConnected{}, x, graphtest.Const("w", nil, 4, 4), graphtest.Const("b", nil, 4))
	}
	int16s := func(g *graph.Graph, x *graph.Value) *graph.Value {
		q := graphtest.As(g.Apply("q", graph.Quantize{To: graph.Int16}, x), 0.5, 0)
		return g.Apply("d", graph.Dequantize{}, q)
	}
	type layers []func(*graph.Graph, *graph.Value) *graph.Value
	for _, test := range []struct {
		layers layers
		want   infer.Placement
	}{
		{layers{int16s}, infer.Placement{Delegate: "none", TotalNodes: 2}},
		{layers{dense, int16s, dense, dense}, infer.Placement{Delegate: "xnnpack", DelegatedNodes: 3, TotalNodes: 5, Partitions: 2}},
	} {
		g := graph.New("part")
		g.Level = graph.Quantized
		x := g.Input("x", graphtest.Floats(1, 4))
		for _, layer := range test.layers {
			x = layer(g, x)
		}
		g.Outputs = []*graph.Value{x}
		b, err := tflite.Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		s, err := tflitec.New().Open(b, infer.Options{Delegate: tflitec.XNNPACK})
		if err != nil {
			t.Fatal(err)
		}
		if s.Placement() != test.want {
			t.Errorf("%+v, want %+v", s.Placement(), test.want)
		}
		s.Close()
	}
}

// Many sessions leave no memory behind: what go-tflite's own constructors leak is a copy of the model each.
func TestMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	spec := infertest.Small
	spec.Width = 1 // a model of about 3 MB
	b, err := infertest.Model(spec, infertest.Int8, 1)
	if err != nil {
		t.Fatal(err)
	}
	open := func(n int) {
		for range n {
			s, err := tflitec.New().Open(b, infer.Options{Delegate: infer.NoDelegate})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
		}
	}
	open(10)
	before := residentPages(t)
	open(100)
	if grown := (residentPages(t) - before) * 4096; grown > 30*len(b) {
		t.Errorf("100 sessions of a model of %d bytes grew the process by %d", len(b), grown)
	}
}

// residentPages is the process's resident set, Go's garbage given back.
func residentPages(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident
}

// A result that nobody reads, computed from one that nobody else reads, ends the process in XNNPACK. Such a model is not
// given to it: the built-in kernels run it.
func TestUnread(t *testing.T) {
	g := graph.New("unread")
	g.Level = graph.Folded
	x := g.Input("x", graphtest.Floats(1, 4, 4, 4))
	a := g.Apply("a", graph.Arithmetic{Fn: graph.Add}, x, x)
	g.Apply("unread", graph.Arithmetic{Fn: graph.Mul}, a, x)
	g.Outputs = []*graph.Value{g.Apply("y", graph.Activate{Act: graph.ReLU}, x)}
	b, err := tflite.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tflitec.New().Open(b, infer.Options{Delegate: tflitec.XNNPACK}); !errors.Is(err, infer.ErrUnavailable) || !strings.Contains(err.Error(), `"unread"`) {
		t.Errorf("%v, want ErrUnavailable with the value's name", err)
	}
	s, err := tflitec.New().Open(b, infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if p := s.Placement(); p.Delegate != infer.NoDelegate {
		t.Errorf("ran on %q", p.Delegate)
	}
	if err := s.Invoke(); err != nil {
		t.Error(err)
	}
}
