package lint_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/graph/tflite"
	"mnet-edge/lint"
)

// single is a model of one operator and what Vela 5.2.0 said of it. What XNNPACK says is asked, where there is TFLite.
type single struct {
	name string
	x    graph.Type
	op   func(g *graph.Graph, x *graph.Value) *graph.Value
	vela bool // taken by the NPU
}

var floats, integers, as = graphtest.Floats, graphtest.Ints, graphtest.As

// unary applies an operator whose result has its input's quantization.
func unary(op graph.Op) func(*graph.Graph, *graph.Value) *graph.Value {
	return func(g *graph.Graph, x *graph.Value) *graph.Value {
		y := g.Apply("y", op, x)
		switch {
		case y.Type.DType == graph.Float32:
		case graph.FixedQuant(op, y.Type.DType) != nil:
			y.Type.Quant = graph.FixedQuant(op, y.Type.DType)
		default:
			y.Type.Quant = x.Type.Quant
		}
		return y
	}
}

// layer applies an operator with weights of a shape, of the input's type.
func layer(op graph.Op, shape ...int) func(*graph.Graph, *graph.Value) *graph.Value {
	return func(g *graph.Graph, x *graph.Value) *graph.Value {
		l := graphtest.Layer{Op: op, Shape: shape, Scale: []float32{0.01}, Weight: func(i int) int8 { return int8(i%250 - 125) }}
		if x.Type.DType == graph.Float32 {
			return g.Apply("y", op, x, graphtest.Const("w", nil, shape...), graphtest.Const("b", nil, l.Channels()))
		}
		return as(l.Apply(g, "y", x), 0.1, 0)
	}
}

// both applies an operator to the input twice, with a scale of the result.
func both(op graph.Op, scale float32) func(*graph.Graph, *graph.Value) *graph.Value {
	return func(g *graph.Graph, x *graph.Value) *graph.Value {
		return as(g.Apply("y", op, x, x), scale, 0)
	}
}

func to(dtype graph.DType, scale float32, zero int32) func(*graph.Graph, *graph.Value) *graph.Value {
	return func(g *graph.Graph, x *graph.Value) *graph.Value {
		return as(g.Apply("y", graph.Quantize{To: dtype}, x), scale, zero)
	}
}

func singles() []single {
	image, floatImage := integers(graph.Int8, 0.05, 3, 1, 16, 16, 8), floats(1, 16, 16, 8)
	row := integers(graph.Int8, 0.05, 3, 1, 32)
	pool := func(fn graph.PoolFunc, size, stride int, p graph.Padding) graph.Op {
		return graph.Pool{Fn: fn, Window: graph.Dense(stride, p), Size: [2]int{size, size}}
	}
	resize := func(fn graph.ResizeFunc, side int, half bool) graph.Op {
		return graph.Resize{Fn: fn, Size: [2]int{side, side}, HalfPixel: half}
	}
	dilated := graph.Window{Stride: [2]int{1, 1}, Dilation: [2]int{2, 1}, Padding: graph.Same}
	concat := func(n int) func(*graph.Graph, *graph.Value) *graph.Value {
		return func(g *graph.Graph, x *graph.Value) *graph.Value {
			in := make([]*graph.Value, n)
			for i := range in {
				in[i] = x
			}
			return as(g.Apply("y", graph.Concat{Axis: 3}, in...), 0.05, 3)
		}
	}
	// slice takes as many elements from one on, so far apart, as there are of the second dimension.
	slice := func(begin, step int) func(*graph.Graph, *graph.Value) *graph.Value {
		return func(g *graph.Graph, x *graph.Value) *graph.Value {
			op := graph.Slice{Begin: make([]int, len(x.Type.Shape)), Size: slices.Clone(x.Type.Shape), Step: slices.Repeat([]int{1}, len(x.Type.Shape))}
			op.Begin[1], op.Step[1], op.Size[1] = begin, step, 15/max(step, -step)
			return unary(op)(g, x)
		}
	}
	// stepped takes each element so far apart along an axis.
	stepped := func(axis, step int) func(*graph.Graph, *graph.Value) *graph.Value {
		return func(g *graph.Graph, x *graph.Value) *graph.Value {
			op := graph.Slice{Begin: make([]int, len(x.Type.Shape)), Size: slices.Clone(x.Type.Shape), Step: slices.Repeat([]int{1}, len(x.Type.Shape))}
			op.Step[axis], op.Size[axis] = step, op.Size[axis]/step
			return unary(op)(g, x)
		}
	}
	// with applies an operator to the input and a constant of a shape.
	with := func(op graph.Op, shape ...int) func(*graph.Graph, *graph.Value) *graph.Value {
		return func(g *graph.Graph, x *graph.Value) *graph.Value {
			return g.Apply("y", op, x, graphtest.Const("c", nil, shape...))
		}
	}
	// fully4 is a fully connected layer of int4 weights with so many scales.
	fully4 := func(scales int) func(*graph.Graph, *graph.Value) *graph.Value {
		return func(g *graph.Graph, x *graph.Value) *graph.Value {
			l := graphtest.Layer{Op: graph.FullyConnected{}, Shape: []int{4, x.Type.Shape[1]}, Type: graph.Int4, Scale: slices.Repeat([]float32{0.1}, scales)}
			return as(l.Apply(g, "y", x), 0.1, 0)
		}
	}
	mirror := graph.MirrorPad{Before: []int{0, 1, 1, 0}, After: []int{0, 1, 1, 0}}
	return []single{
		{"conv", image, layer(graph.Conv2D{Window: graph.Dense(1, graph.Same)}, 16, 3, 3, 8), true},
		{"conv-float", floatImage, layer(graph.Conv2D{Window: graph.Dense(1, graph.Same)}, 16, 3, 3, 8), false},
		{"conv-stride-4-same", image, layer(graph.Conv2D{Window: graph.Dense(4, graph.Same)}, 16, 5, 5, 8), false},
		{"conv-stride-4-valid", image, layer(graph.Conv2D{Window: graph.Dense(4, graph.Valid)}, 16, 4, 4, 8), true},
		{"conv-dilated", image, layer(graph.Conv2D{Window: dilated}, 16, 3, 3, 8), true},
		{"conv-fine", image, func(g *graph.Graph, x *graph.Value) *graph.Value { // its result has steps a 500th of the sums'
			return as(layer(graph.Conv2D{Window: graph.Dense(1, graph.Same)}, 16, 3, 3, 8)(g, x), 1e-6, 0)
		}, true},
		{"conv-fine-behind", image, func(g *graph.Graph, x *graph.Value) *graph.Value { // which keeps XNNPACK from the one before, too
			x = unary(pool(graph.Max, 3, 2, graph.Same))(g, x)
			return as(layer(graph.Conv2D{Window: graph.Dense(1, graph.Same)}, 16, 3, 3, 8)(g, x), 1e-6, 0)
		}, true},
		{"conv-fine-int16-behind", floatImage, func(g *graph.Graph, x *graph.Value) *graph.Value { // which XNNPACK does not get
			x = unary(pool(graph.Max, 3, 2, graph.Same))(g, x)
			x = to(graph.Int16, 0.001, 0)(g, x)
			l := graphtest.Layer{Op: graph.Conv2D{Window: graph.Dense(1, graph.Same)}, Shape: []int{4, 1, 1, 8}, Scale: []float32{0.01}, Weight: func(i int) int8 { return int8(i) }}
			return as(l.Apply(g, "y", x), 1e-8, 0)
		}, false},
		{"conv-batch-2", integers(graph.Int8, 0.05, 3, 2, 16, 16, 8), layer(graph.Conv2D{Window: graph.Dense(1, graph.Same)}, 16, 3, 3, 8), true},
		{"depthwise", image, layer(graph.DepthwiseConv2D{Window: graph.Dense(1, graph.Same)}, 1, 3, 3, 8), true},
		{"depthwise-stride-4", image, layer(graph.DepthwiseConv2D{Window: graph.Dense(4, graph.Same)}, 1, 5, 5, 8), false},
		{"dense", row, layer(graph.FullyConnected{}, 10, 32), true},
		{"average-pool", image, unary(pool(graph.Average, 2, 2, graph.Valid)), true},
		{"average-pool-float", floatImage, unary(pool(graph.Average, 2, 2, graph.Valid)), false},
		{"average-pool-9-same", image, unary(pool(graph.Average, 9, 1, graph.Same)), false},
		{"average-pool-relu6", image, unary(graph.Pool{Fn: graph.Average, Window: graph.Dense(2, graph.Valid), Size: [2]int{2, 2}, Act: graph.ReLU6}), true},
		{"max-pool", image, unary(pool(graph.Max, 3, 2, graph.Same)), true},
		{"max-pool-stride-over-window", image, unary(pool(graph.Max, 2, 3, graph.Valid)), true},
		{"max-pool-stride-4-same", image, unary(pool(graph.Max, 5, 4, graph.Same)), false},
		{"add", image, both(graph.Arithmetic{Fn: graph.Add}, 0.1), true},
		{"add-coarse", image, both(graph.Arithmetic{Fn: graph.Add}, 60), true},
		{"sub", image, both(graph.Arithmetic{Fn: graph.Sub}, 0.1), true},
		{"mul", image, both(graph.Arithmetic{Fn: graph.Mul}, 0.01), true},
		{"mul-coarse", image, both(graph.Arithmetic{Fn: graph.Mul}, 200), true},
		{"add-float", floatImage, func(g *graph.Graph, x *graph.Value) *graph.Value {
			return g.Apply("y", graph.Arithmetic{Fn: graph.Add}, x, x)
		}, false},
		{"quantize", floatImage, to(graph.Int8, 0.05, 3), false},
		{"quantize-int16", floatImage, to(graph.Int16, 0.001, 0), false},
		{"rescale", image, to(graph.Int8, 0.1, -7), true},
		{"rescale-far", image, to(graph.Int8, 20, 0), true},
		{"rescale-unsigned", image, to(graph.UInt8, 0.05, 131), true},
		{"dequantize", image, func(g *graph.Graph, x *graph.Value) *graph.Value { return g.Apply("y", graph.Dequantize{}, x) }, false},
		{"relu", image, unary(graph.Activate{Act: graph.ReLU}), true},
		{"relu-float", floatImage, unary(graph.Activate{Act: graph.ReLU}), false},
		{"hard-swish", image, unary(graph.Unary{Fn: graph.HardSwish}), true},
		{"hard-swish-float", floatImage, unary(graph.Unary{Fn: graph.HardSwish}), false},
		{"leaky-relu-float", floatImage, unary(graph.LeakyReLU{Alpha: 0.1}), false},
		{"leaky-relu-float-0", floatImage, unary(graph.LeakyReLU{}), false},
		{"leaky-relu-float-subnormal", floatImage, unary(graph.LeakyReLU{Alpha: 1e-40}), false},
		{"prelu-float", floatImage, with(graph.PReLU{}, 1, 1, 8), false},
		{"prelu-float-computed", floatImage, func(g *graph.Graph, x *graph.Value) *graph.Value {
			return g.Apply("y", graph.PReLU{}, x, g.Apply("slope", graph.Activate{Act: graph.ReLU}, x))
		}, false},
		{"logistic", image, unary(graph.Unary{Fn: graph.Logistic}), true},
		{"softmax", row, unary(graph.Softmax{Beta: 1}), true},
		{"softmax-tall", integers(graph.Int8, 0.05, 3, 1, 512, 512, 2), unary(graph.Softmax{Beta: 1}), false},
		{"softmax-65025", integers(graph.Int8, 0.05, 3, 1, 255, 255, 2), unary(graph.Softmax{Beta: 1}), true},
		{"softmax-rows", integers(graph.Int8, 0.05, 3, 4, 32), unary(graph.Softmax{Beta: 1}), true},
		{"softmax-float", floats(1, 32), unary(graph.Softmax{Beta: 1}), false},
		{"softmax-float-beta-2", floats(1, 32), unary(graph.Softmax{Beta: 2}), false},
		{"mean", image, unary(graph.Mean{Axes: []int{1, 2}}), true},
		{"mean-large", integers(graph.Int8, 0.05, 3, 1, 300, 300, 8), unary(graph.Mean{Axes: []int{1, 2}}), true},
		{"mean-large-int16", integers(graph.Int16, 0.001, 0, 1, 300, 300, 8), unary(graph.Mean{Axes: []int{1, 2}}), false},
		{"mean-channels", image, unary(graph.Mean{Axes: []int{3}}), false},
		{"pad", image, unary(graph.Pad{Before: []int{0, 1, 1, 0}, After: []int{0, 1, 1, 0}}), true},
		{"pad-channels", image, unary(graph.Pad{Before: []int{0, 0, 0, 2}, After: []int{0, 0, 0, 3}}), true},
		{"reshape", image, unary(graph.Reshape{Shape: []int{1, 2048}}), true},
		{"reshape-7", image, unary(graph.Reshape{Shape: []int{1, 1, 2, 8, 4, 4, 8}}), true},
		{"transpose", image, unary(graph.Transpose{Perm: []int{0, 2, 1, 3}}), true},
		{"concat", image, concat(2), true},
		{"concat-6", image, concat(6), true},
		{"concat-constant", image, func(g *graph.Graph, x *graph.Value) *graph.Value {
			c := graph.Const("c", x.Type, make([]int8, x.Type.Elements()))
			return as(g.Apply("y", graph.Concat{Axis: 3}, x, c), 0.05, 3)
		}, true},
		{"bilinear-2", image, unary(resize(graph.Bilinear, 32, false)), true},
		{"bilinear-row", integers(graph.Int8, 0.05, 3, 1, 1, 16, 8), unary(graph.Resize{Fn: graph.Bilinear, Size: [2]int{1, 32}}), true},
		{"bilinear-row-4-half", integers(graph.Int8, 0.05, 3, 1, 1, 16, 8), unary(graph.Resize{Fn: graph.Bilinear, Size: [2]int{1, 64}, HalfPixel: true}), false},
		{"nearest-column", integers(graph.Int8, 0.05, 3, 1, 16, 1, 8), unary(graph.Resize{Fn: graph.Nearest, Size: [2]int{32, 1}}), true},
		{"bilinear-3", image, unary(resize(graph.Bilinear, 48, false)), false},
		{"bilinear-4-half", image, unary(resize(graph.Bilinear, 64, true)), false},
		{"nearest-2", image, unary(resize(graph.Nearest, 32, false)), true},
		{"nearest-down", image, unary(resize(graph.Nearest, 8, false)), false},
		{"slice", image, slice(1, 1), true},
		{"slice-float", floatImage, slice(1, 1), false},
		{"slice-steps", image, slice(1, 2), true},
		{"slice-steps-float", floatImage, slice(1, 2), false},
		{"slice-steps-columns", image, stepped(2, 2), true},
		{"slice-steps-channels", image, stepped(3, 2), false},
		{"slice-backward", image, slice(15, -1), false},
		{"slice-5", integers(graph.Int8, 0.05, 3, 1, 16, 16, 2, 4), slice(1, 1), true},
		{"slice-int16", integers(graph.Int16, 0.001, 0, 1, 16, 16, 8), slice(1, 1), true},
		{"space-to-depth", image, unary(graph.SpaceToDepth{Block: 2}), false},
		{"fully-int4", row, fully4(4), false},
		{"fully-int4-odd", integers(graph.Int8, 0.05, 3, 1, 31), fully4(4), false},
		{"fully-int4-per-tensor", row, fully4(1), false},
		{"space-to-depth-1", floatImage, unary(graph.SpaceToDepth{Block: 1}), false},
		{"depth-to-space-1", floatImage, unary(graph.DepthToSpace{Block: 1}), false},
		{"relu-0-to-1", floatImage, unary(graph.Unary{Fn: graph.Clip01}), false},
		{"space-to-depth-float", floatImage, unary(graph.SpaceToDepth{Block: 2}), false},
		{"depth-to-space", image, unary(graph.DepthToSpace{Block: 2}), false},
		{"depth-to-space-float", floatImage, unary(graph.DepthToSpace{Block: 2}), false},
		{"mirror-pad", image, unary(mirror), true},
		{"mirror-pad-float", floatImage, unary(mirror), false},
		{"tile", image, unary(graph.Tile{Times: []int{1, 2, 1, 1}}), true},
		{"tile-float", floatImage, unary(graph.Tile{Times: []int{1, 2, 1, 1}}), false},
		{"sum-float", floatImage, unary(graph.Reduce{Axes: []int{1, 2}}), false},
		{"sum-float-channels", floatImage, unary(graph.Reduce{Axes: []int{3}, KeepDims: true}), false},
		{"reduce-max", image, unary(graph.Reduce{Fn: graph.Largest, Axes: []int{1, 2}}), true},
		{"reduce-max-batch", image, unary(graph.Reduce{Fn: graph.Largest, Axes: []int{0, 1}}), true},
		{"reduce-max-float", floatImage, unary(graph.Reduce{Fn: graph.Largest, Axes: []int{1, 2}}), false},
		{"reduce-min", image, unary(graph.Reduce{Fn: graph.Smallest, Axes: []int{3}}), true},
		{"reduce-min-float", floatImage, unary(graph.Reduce{Fn: graph.Smallest, Axes: []int{3}}), false},
		{"log-float", floatImage, unary(graph.Unary{Fn: graph.Log}), false},
		{"sin-float", floatImage, unary(graph.Unary{Fn: graph.Sin}), false},
		{"cos-float", floatImage, unary(graph.Unary{Fn: graph.Cos}), false},
		{"l2-normalization-float", floatImage, unary(graph.L2Norm{}), false},
		{"pow-float", floatImage, with(graph.Pair{Fn: graph.Pow}, 8), false},
		{"matmul-float", floatImage, with(graph.BatchMatMul{}, 8, 6), false},
		{"matmul-float-batches", floatImage, with(graph.BatchMatMul{}, 16, 8, 6), false},
		{"matmul-float-adj-x", floatImage, with(graph.BatchMatMul{AdjX: true}, 16, 6), false},
		{"matmul-float-adj-y", floatImage, with(graph.BatchMatMul{AdjY: true}, 6, 8), false},
		{"matmul-float-computed", floatImage, func(g *graph.Graph, x *graph.Value) *graph.Value {
			return g.Apply("y", graph.BatchMatMul{AdjY: true}, x, x)
		}, false},
		{"transpose-conv-stride-same", floatImage, layer(graph.TransposeConv2D{Window: graph.Dense(3, graph.Same), Size: [2]int{48, 48}}, 6, 2, 2, 8), false},
		{"transpose-conv-stride-valid", floatImage, layer(graph.TransposeConv2D{Window: graph.Dense(3, graph.Valid), Size: [2]int{48, 48}}, 6, 2, 2, 8), false},
		{"transpose-conv-small", floats(1, 1, 9, 3), layer(graph.TransposeConv2D{Window: graph.Window{Stride: [2]int{3, 1}, Dilation: [2]int{1, 1}, Padding: graph.Same}, Size: [2]int{1, 9}}, 2, 4, 2, 3), false},
		{"transpose-conv-float", floatImage, layer(graph.TransposeConv2D{Window: graph.Dense(2, graph.Same), Size: [2]int{32, 32}}, 6, 3, 3, 8), false},
	}
}

// graph is the model's graph as a file has it.
func (s single) graph(t *testing.T) (*graph.Graph, []byte) {
	t.Helper()
	g := graph.New(s.name)
	g.Level = graph.Quantized
	g.Outputs = []*graph.Value{s.op(g, g.Input("x", s.x))}
	b, err := tflite.Encode(g)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	if g, err = tflite.Decode(b); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return g, b
}

var write = flag.String("write", "", "also write the models of one operator to this folder, for Vela: vela --show-cpu-operations FILE")

// verdict is a target's on the model of a file.
func verdict(t *testing.T, b []byte, target lint.Target) lint.Verdict {
	t.Helper()
	g, err := tflite.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	computed, err := tflite.ComputedShapes(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range lint.Check(g, computed) {
		if v.Target == target {
			return v
		}
	}
	return lint.Verdict{}
}

// The rules of the Ethos-U refuse what its compiler did, and nothing else.
func TestEthosUAsVela(t *testing.T) {
	for _, s := range singles() {
		_, b := s.graph(t)
		if *write != "" {
			if err := os.WriteFile(filepath.Join(*write, s.name+".tflite"), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		v := verdict(t, b, lint.EthosU)
		if taken := v.Taken == v.Total; taken != s.vela {
			t.Errorf("%s: taken %v, by Vela %v: %+v", s.name, taken, s.vela, v.Findings)
		}
	}
}

// vectors are the models of graph/interp's vectors and of other tools, by name.
func vectors(t *testing.T) map[string][]byte {
	t.Helper()
	models := map[string][]byte{}
	for _, pattern := range []string{"../graph/interp/testdata/vectors/*/model.tflite", "../graph/tflite/testdata/*.tflite"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			models[strings.NewReplacer("../graph/interp/testdata/vectors/", "", "../graph/tflite/testdata/", "", "/model.tflite", "", ".tflite", "").Replace(filepath.ToSlash(path))] = b
		}
	}
	delete(models, "tf_moves") // no network: it has 26 results
	delete(models, "tf_tail")  // half of it is operators that no rule knows
	g, err := tflite.Decode(models["tf_blocks"])
	if err != nil {
		t.Fatal(err)
	}
	if models["tf_blocks"], err = tflite.Encode(g); err != nil { // with the operators as which its SPLIT and its PACK are read
		t.Fatal(err)
	}
	if len(models) < 8 {
		t.Fatalf("%d models", len(models))
	}
	return models
}
