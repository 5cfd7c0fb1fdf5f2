package main

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"mnet-edge/convert"
	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
)

// smallNet is a float network of 8x8 images to 4 scores, each operator with rounding of its own.
func smallNet() *graph.Graph {
	g := graph.New("small")
	g.Level = graph.Folded
	n := 0
	weight := func(name string, shape ...int) *graph.Value {
		return graphtest.Const(name, func(int) float32 {
			n++
			return float32(math.Sin(float64(n)*1.7)) / 3
		}, shape...)
	}
	same := graph.Dense(1, graph.Same)
	x := g.Input("image", graphtest.Floats(1, 8, 8, 3))
	a := g.Apply("conv1", graph.Conv2D{Window: same, Act: graph.ReLU}, x, weight("w1", 8, 3, 3, 3), weight("b1", 8))
	b := g.Apply("depth", graph.DepthwiseConv2D{Window: same, Act: graph.ReLU}, a, weight("w2", 1, 3, 3, 8), weight("b2", 8))
	c := g.Apply("point", graph.Conv2D{Window: same}, b, weight("w3", 8, 1, 1, 8), weight("b3", 8))
	d := g.Apply("sum", graph.Arithmetic{}, a, c)
	e := g.Apply("pool", graph.Mean{Axes: []int{1, 2}}, d)
	g.Outputs = []*graph.Value{g.Apply("scores", graph.FullyConnected{}, e, weight("w4", 4, 8), weight("b4", 4))}
	return g
}

// Layers whose results stay int16 among int8 ones, and float32 ones beside them: the runtimes at hand take the file, and the simulator
// has their bits, tensor by tensor.
func TestMixedPrecisionRuns(t *testing.T) {
	plain := convert.Recipe{Scheme: convert.Int8, Observer: "minmax", Equalize: convert.Off, CorrectBias: convert.On, RoundWeights: convert.Off}
	sample := func(seed int) []float32 {
		x := make([]float32, 8*8*3)
		for i := range x {
			x[i] = float32(math.Cos(float64(i*seed)*0.37 + float64(seed)))
		}
		return x
	}
	samples := func(yield func([]float32) bool) {
		for i := 1; i <= 8 && yield(sample(i)); i++ {
		}
	}
	for _, c := range []struct {
		int16s, floats []string
		want           string // a line of the graph
		// Where some int8 layers of a file go to XNNPACK and others to TFLite's own kernels, or a float32 layer sums in another
		// order, no one rounding has all bits, and single results are next to the simulator's.
		mixed bool
	}{
		{mixed: true, int16s: []string{"conv1"}, want: "image.int16 = quantize(image.float32)"},
		{int16s: []string{"depth"}, want: "depth = depthwise_conv2d(conv1.int16, w2, b2)"},
		{int16s: []string{"depth", "point"}, want: "sum.int8 = quantize(sum)"},
		{int16s: []string{"scores"}, want: "scores.int8 = quantize(scores)"},
		{mixed: true, int16s: []string{"conv1"}, floats: []string{"point"}, want: "point.int16 = quantize(point)"},
	} {
		r := plain
		r.KeepInt16, r.KeepFloat = c.int16s, c.floats
		result, err := convert.Run(context.Background(), smallNet(), r, samples, nil)
		if err != nil {
			t.Fatalf("%v: %v", c.int16s, err)
		}
		if text := result.Graph.String(); !strings.Contains(text, c.want) {
			t.Errorf("%v: no %q in\n%s", c.int16s, c.want, text)
		}
		encoded, err := tflite.Encode(result.Graph)
		if err != nil {
			t.Fatalf("%v: %v", c.int16s, err)
		}
		in := result.Graph.Inputs[0].Type
		var inputs [][]byte
		for i := range 4 {
			x := make([]byte, in.Elements())
			for k := range x {
				x[k] = byte((k*37 + i*101) * (k + 3))
			}
			inputs = append(inputs, x)
		}
		rs := runtimes()
		if tflite := tfliteRuntime(); tflite != nil {
			rs = append([]infer.Runtime{tflite}, rs...)
		}
		for _, runtime := range rs {
			v, err := infer.VerifyTensors(context.Background(), []infer.Runtime{runtime}, encoded, infer.Options{}, inputs)
			if errors.Is(err, infer.ErrUnavailable) {
				t.Logf("%s: %v", runtime.Name(), err)
				continue
			}
			if err != nil {
				t.Errorf("%v on %s: %v", c.int16s, runtime.Name(), err)
				continue
			}
			if v.Match == "" && !c.mixed {
				t.Errorf("%v on %s: no rounding has its bits: %+v", c.int16s, v.Runtime, v.Differ)
			}
			for _, d := range v.Differ {
				if d.Unequal*100 > d.Elements {
					t.Errorf("%v on %s: %+v", c.int16s, v.Runtime, d)
				}
			}
		}
	}
}

// A loss of just what may be lost is allowed, whatever its points are as a float64.
func TestAllowed(t *testing.T) {
	for _, c := range []struct {
		images int
		points float64
		want   bool
	}{{7, 0.7, true}, {8, 0.7, false}, {29, 2.9, true}, {0, 0, true}, {1, 0, false}, {-3, 0, true}} {
		if got := allowed(100*(float64(c.images)/1000), c.points); got != c.want {
			t.Errorf("%d images of 1000, %v points: %v", c.images, c.points, got)
		}
	}
}
