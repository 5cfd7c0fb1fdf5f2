package interp

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

var nan = float32(math.NaN())

// apply is a graph of one operator without weights; q, if not nil, is the quantization of the result.
func apply(level graph.Level, op graph.Op, x graph.Type, q *quant.Params) *graph.Graph {
	g := graph.New("op")
	g.Level = level
	y := g.Apply("y", op, g.Input("x", x))
	y.Type.Quant = q
	g.Outputs = []*graph.Value{y}
	return g
}

// weighted is a graph of one operator with weights.
func weighted(op graph.Op, x graph.Type, shape []int, w, bias any, scale []float32, q *quant.Params) *graph.Graph {
	g := graph.New("op")
	g.Level = graph.Folded
	if q != nil {
		g.Level = graph.Quantized
	}
	g.Outputs = []*graph.Value{layer(g, "y", op, g.Input("x", x), shape, w, bias, scale, q)}
	return g
}

// Every float32 operator against results worked out by hand; the numbers are chosen so that no rounding occurs.
func TestFloatOperators(t *testing.T) {
	dense := func(stride int, p graph.Padding) graph.Window { return graph.Dense(stride, p) }
	dilated := graph.Window{Stride: [2]int{1, 1}, Dilation: [2]int{1, 2}, Padding: graph.Valid}
	for _, c := range []struct {
		name     string
		g        *graph.Graph
		in, want []float32
	}{
		{"conv same", weighted(graph.Conv2D{Window: dense(1, graph.Same)}, floatType(1, 1, 3, 1), []int{1, 1, 3, 1},
			[]float32{1, 10, 100}, []float32{0.5}, nil, nil), []float32{1, 2, 3}, []float32{210.5, 321.5, 32.5}},
		{"conv two channels to two", weighted(graph.Conv2D{Window: dense(1, graph.Valid), Act: graph.ReLU}, floatType(1, 1, 2, 2), []int{2, 1, 1, 2},
			[]float32{1, 10, -1, 1}, nil, nil, nil), []float32{1, 2, 4, 3}, []float32{21, 1, 34, 0}},
		{"conv groups", weighted(graph.Conv2D{Window: dense(1, graph.Valid)}, floatType(1, 1, 1, 4), []int{2, 1, 1, 2},
			[]float32{1, 10, 100, 1000}, nil, nil, nil), []float32{1, 2, 3, 4}, []float32{21, 4300}},
		{"conv dilated", weighted(graph.Conv2D{Window: dilated}, floatType(1, 1, 5, 1), []int{1, 1, 3, 1},
			[]float32{1, 10, 100}, nil, nil, nil), []float32{1, 2, 3, 4, 5}, []float32{531}},
		// On an even size TFLite's SAME puts the odd zero after the data.
		{"depthwise, multiplier 2, stride 2", weighted(graph.DepthwiseConv2D{Window: dense(2, graph.Same)}, floatType(1, 1, 4, 1), []int{1, 1, 3, 2},
			[]float32{1, 2, 10, 20, 100, 200}, nil, nil, nil), []float32{1, 2, 3, 4}, []float32{321, 642, 43, 86}},
		{"depthwise relu6", weighted(graph.DepthwiseConv2D{Window: dense(1, graph.Valid), Act: graph.ReLU6}, floatType(1, 1, 2, 2), []int{1, 1, 2, 2},
			[]float32{1, 2, 3, 4}, []float32{0, -1}, nil, nil), []float32{1, 1, 2, 0.5}, []float32{6, 3}},
		{"fully connected", weighted(graph.FullyConnected{}, floatType(2, 2), []int{2, 2},
			[]float32{1, 2, 3, 4}, []float32{10, 20}, nil, nil), []float32{1, 2, 0, 1}, []float32{15, 31, 12, 24}},
		{"activate", apply(graph.Float, graph.Activate{Act: graph.ReLU6}, floatType(4), nil), []float32{-1, 0, 5, 7}, []float32{0, 0, 5, 6}},
		{"mean", apply(graph.Float, graph.Mean{Axes: []int{1, 2}}, floatType(1, 2, 2, 2), nil),
			[]float32{1, 10, 2, 20, 3, 30, 6, 60}, []float32{3, 30}},
		{"mean of the last axis", apply(graph.Float, graph.Mean{Axes: []int{3}, KeepDims: true}, floatType(1, 2, 2, 2), nil),
			[]float32{1, 10, 2, 20, 3, 30, 6, 60}, []float32{5.5, 11, 16.5, 33}},
		{"mean of the first axis", apply(graph.Float, graph.Mean{Axes: []int{0}}, floatType(2, 3), nil),
			[]float32{1, 2, 3, 5, 6, 7}, []float32{3, 4, 5}},
		{"pad", apply(graph.Float, graph.Pad{Before: []int{0, 1, 0, 0}, After: []int{0, 0, 1, 0}}, floatType(1, 1, 2, 1), nil),
			[]float32{1, 2}, []float32{0, 0, 0, 1, 2, 0}},
		{"pad channels", apply(graph.Float, graph.Pad{Before: []int{0, 1}, After: []int{0, 0}}, floatType(2, 2), nil),
			[]float32{1, 2, 3, 4}, []float32{0, 1, 2, 0, 3, 4}},
		{"reshape", apply(graph.Float, graph.Reshape{Shape: []int{4}}, floatType(2, 2), nil), []float32{1, 2, 3, 4}, []float32{1, 2, 3, 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := eval(t, c.g, quant.Double, c.in); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%v gives %v, want %v", c.in, got, c.want)
			}
		})
	}
}

func TestBatchNorm(t *testing.T) {
	g := graph.New("bn")
	c := func(name string, x ...float32) *graph.Value { return graph.Const(name, floatType(len(x)), x) }
	g.Outputs = []*graph.Value{g.Apply("y", graph.BatchNorm{Eps: 0.25}, g.Input("x", floatType(2, 2)),
		c("gamma", 2, 3), c("beta", 1, 0), c("mean", 3, -1), c("variance", 3.75, 0))}
	want := []float32{3, 6, 1, 0}
	if got := eval(t, g, quant.Double, []float32{5, 0, 3, -1}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Every integer operator against results worked out by hand, on numbers where the runtimes differ: ties.
func TestIntegerOperators(t *testing.T) {
	// x - zero is 2, -2, 4. Channel 0 sums 2, 14, 10 and scales by 1/4; channel 1 sums -15, 1, 1 and scales by 1/2.
	conv := func(act graph.Activation) *graph.Graph {
		return weighted(graph.Conv2D{Window: graph.Dense(1, graph.Same), Act: act}, int8Type(0.5, 1, 1, 1, 3, 1), []int{2, 1, 3, 1},
			[]int8{1, 2, 3, -4, 0, 4}, []int32{4, -7}, []float32{0.25, 0.5}, quant.PerTensor(0.5, -2))
	}
	// Two channels of multiplier 2, then stride 2: sums 6, -3; 12, -6 (taps 4 and 2; 8 and the padding).
	depthwise := weighted(graph.DepthwiseConv2D{Window: graph.Dense(2, graph.Same)}, int8Type(1, -128, 1, 1, 3, 1), []int{1, 1, 2, 2},
		[]int8{1, -1, 1, 1}, []int32{0, -1}, []float32{0.5, 0.5}, quant.PerTensor(1, 0))
	perTensor := weighted(graph.FullyConnected{}, int8Type(1, 0, 1, 2), []int{2, 2},
		[]int8{1, 1, -1, 2}, []int32{0, 1}, []float32{0.5}, quant.PerTensor(1, 100))
	mean := func(in, out float32, n int) *graph.Graph {
		return apply(graph.Quantized, graph.Mean{Axes: []int{1}}, int8Type(in, 0, 1, n), quant.PerTensor(out, 0))
	}
	// The exact thirds are 33.3, -42.7, 0, 42.3. TFLite's first rounding gives 66.7 -> 67 and 84.7 -> 85 before halving;
	// XNNPACK's third is 85/256.
	requant := apply(graph.Quantized, graph.Quantize{To: graph.Int8}, int8Type(1, 0, 4), quant.PerTensor(3, 0))
	quantize := apply(graph.Quantized, graph.Quantize{To: graph.Int8}, floatType(6), quant.PerTensor(0.5, 3))
	activate := apply(graph.Quantized, graph.Activate{Act: graph.ReLU6}, int8Type(4, 3, 3), quant.PerTensor(4, 3))
	for _, c := range []struct {
		name        string
		g           *graph.Graph
		in          any
		tflite, xnn any
	}{
		{"conv", conv(graph.Linear), []int8{3, -1, 5}, []int8{-1, -9, 2, -1, 1, -1}, []int8{-2, -10, 2, -2, 0, -2}},
		{"conv relu", conv(graph.ReLU), []int8{3, -1, 5}, []int8{-1, -2, 2, -1, 1, -1}, []int8{-2, -2, 2, -2, 0, -2}},
		{"depthwise", depthwise, []int8{-124, -126, -120}, []int8{3, -1, 4, -4}, []int8{3, -2, 4, -4}},
		{"fully connected", perTensor, []int8{127, 3}, []int8{127, 40}, []int8{127, 40}},
		{"fully connected, negative tie", perTensor, []int8{1, -4}, []int8{98, 96}, []int8{98, 96}},
		{"fully connected, positive tie", perTensor, []int8{5, -4}, []int8{101, 94}, []int8{100, 94}},
		{"mean", mean(1, 1, 2), []int8{1, 2}, []int8{2}, []int8{2}},
		{"mean, tie to even", mean(1, 1, 2), []int8{0, 1}, []int8{1}, []int8{0}},
		{"mean, negative tie", mean(1, 1, 2), []int8{-1, -2}, []int8{-1}, []int8{-2}},
		// (386 - 6*96) * (0.84/0.56)/6 is -47.5, and (-690 + 30*96) * (0.15/0.1)/30 is 109.5: the float32 steps on the way
		// decide. What the official runtimes computed; other orders of the steps give -73 and 74.
		{"mean, near a tie", apply(graph.Quantized, graph.Mean{Axes: []int{1}}, int8Type(0.84, 96, 1, 6), quant.PerTensor(0.56, -26)),
			[]int8{64, 64, 64, 64, 65, 65}, []int8{-74}, []int8{-74}},
		{"mean, near another", apply(graph.Quantized, graph.Mean{Axes: []int{1}}, int8Type(0.15, -96, 1, 30), quant.PerTensor(0.1, -35)),
			slices.Repeat([]int8{-23}, 30), []int8{75}, []int8{75}},
		{"mean, saturated", mean(2, 1, 3), []int8{127, 127, 127}, []int8{127}, []int8{127}},
		{"rescale", requant, []int8{100, -128, 0, 127}, []int8{34, -43, 0, 43}, []int8{33, -42, 0, 42}},
		{"quantize", quantize, []float32{0.25, -0.25, 0.75, 1000, -1000, nan}, []int8{4, 2, 5, 127, -128, 3}, []int8{3, 3, 5, 127, -128, 3}},
		// XNNPACK leaves it to TFLite's kernel.
		{"relu6 at 6/4 = 1.5", activate, []int8{2, 4, 100}, []int8{3, 4, 5}, []int8{3, 4, 5}},
		{"pad", apply(graph.Quantized, graph.Pad{Before: []int{0, 1}, After: []int{0, 2}}, int8Type(1, 7, 1, 2), quant.PerTensor(1, 7)),
			[]int8{1, 2}, []int8{7, 1, 2, 7, 7}, []int8{7, 1, 2, 7, 7}},
		{"reshape", apply(graph.Quantized, graph.Reshape{Shape: []int{3}}, int8Type(1, 7, 1, 3), quant.PerTensor(1, 7)),
			[]int8{1, 2, 3}, []int8{1, 2, 3}, []int8{1, 2, 3}},
		{"dequantize", apply(graph.Quantized, graph.Dequantize{}, int8Type(0.5, 3, 3), nil),
			[]int8{3, 5, -128}, []float32{0, 1, -65.5}, []float32{0, 1, -65.5}},
		{"float32 to uint8", apply(graph.Quantized, graph.Quantize{To: graph.UInt8}, floatType(3), quant.PerTensor(1, 128)),
			[]float32{-200, 0.5, 126}, []uint8{0, 129, 254}, []uint8{0, 128, 254}},
		{"float32 to int16", apply(graph.Quantized, graph.Quantize{To: graph.Int16}, floatType(3), quant.PerTensor(1, 0)),
			[]float32{-40000, 1.5, 300}, []int16{-32768, 2, 300}, []int16{-32768, 2, 300}},
		{"uint8 to int8", apply(graph.Quantized, graph.Quantize{To: graph.Int8},
			graph.Type{DType: graph.UInt8, Shape: []int{3}, Quant: quant.PerTensor(0.1, 128)}, quant.PerTensor(0.1, 0)),
			[]uint8{0, 128, 255}, []int8{-128, 0, 127}, []int8{-128, 0, 127}},
		{"int16 to float32", apply(graph.Quantized, graph.Dequantize{},
			graph.Type{DType: graph.Int16, Shape: []int{2}, Quant: quant.PerTensor(0.25, 0)}, nil),
			[]int16{-32768, 3}, []float32{-8192, 0.75}, []float32{-8192, 0.75}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := eval(t, c.g, quant.Double, c.in); !reflect.DeepEqual(got, c.tflite) {
				t.Errorf("%v gives %v, want %v", c.in, got, c.tflite)
			}
			if got := eval(t, c.g, quant.Float32, c.in); !reflect.DeepEqual(got, c.xnn) {
				t.Errorf("%v gives %v in XNNPACK's arithmetic, want %v", c.in, got, c.xnn)
			}
		})
	}
}

// The reference kernel of a fully connected layer differs from that of a convolution: 11/8 is 1, though 11/2 rounds to 6
// and 6/4 to 2.
func TestFullyConnectedRoundsOnce(t *testing.T) {
	w, scale, out := []int8{1}, []float32{0.125}, quant.PerTensor(1, 0)
	fc := weighted(graph.FullyConnected{}, int8Type(1, 0, 1, 1), []int{1, 1}, w, []int32{0}, scale, out)
	conv := weighted(graph.Conv2D{Window: graph.Dense(1, graph.Same)}, int8Type(1, 0, 1, 1, 1, 1), []int{1, 1, 1, 1}, w, []int32{0}, scale, out)
	for r, want := range [][2]int8{quant.Double: {1, 2}, quant.DoubleUp: {2, 2}, quant.Single: {1, 1}, quant.Float32: {1, 1}} {
		a, b := eval(t, fc, quant.Rounding(r), []int8{11}), eval(t, conv, quant.Rounding(r), []int8{11})
		if got := [2]int8{a.([]int8)[0], b.([]int8)[0]}; got != want {
			t.Errorf("%v: 11/8 gives %v, want %v", quant.Rounding(r), got, want)
		}
	}
}

// Where weights have one scale, TFLite multiplies it with the input's in float32, and only in a fully connected layer. Here
// that makes a difference; 109 is what the official runtime's optimized kernel computed.
func TestFullyConnectedScale(t *testing.T) {
	w, bias, scale, out := []int8{1}, []int32{241997}, []float32{0.48}, quant.PerTensor(36.4, 0)
	fc := weighted(graph.FullyConnected{}, int8Type(0.034, 0, 1, 1), []int{1, 1}, w, bias, scale, out)
	conv := weighted(graph.Conv2D{Window: graph.Dense(1, graph.Same)}, int8Type(0.034, 0, 1, 1, 1, 1), []int{1, 1, 1, 1}, w, bias, scale, out)
	a, b := eval(t, fc, quant.DoubleUp, []int8{0}), eval(t, conv, quant.DoubleUp, []int8{0})
	if !reflect.DeepEqual(a, []int8{109}) || !reflect.DeepEqual(b, []int8{108}) {
		t.Errorf("fully connected %v, convolution %v", a, b)
	}
}

// An activation's ratio of scales is taken in float32, in float64 these would be one more: what LiteRT 2.3's reference kernel computed.
func TestActivateScale(t *testing.T) {
	for _, c := range []struct {
		in, out float32
		q, want int8
	}{{0.4375, 0.625, 5, 3}, {0.4375, 0.625, 55, 38}, {0.169, 0.116, 58, 84}, {0.061, 0.114, 57, 30}} {
		g := graph.New("relu")
		g.Level = graph.Quantized
		y := g.Apply("y", graph.Activate{Act: graph.ReLU}, g.Input("x", int8Type(c.in, 0, 1)))
		y.Type.Quant = quant.PerTensor(c.out, 0)
		g.Outputs = []*graph.Value{y}
		for _, r := range []quant.Rounding{quant.Double, quant.DoubleUp, quant.Float32} {
			if got := eval(t, g, r, []int8{c.q}); !reflect.DeepEqual(got, []int8{c.want}) {
				t.Errorf("%v: %d of %v in %v is %v, want %d", r, c.q, c.in, c.out, got, c.want)
			}
		}
	}
}

// A grouped convolution has no optimized kernel in TFLite: -2/4 and -6/4 go away from zero, where one of a single group goes up.
func TestGroupedRounding(t *testing.T) {
	for depth, want := range map[int][]int8{1: {-1, -2}, 2: {-2, -2}} {
		g := weighted(graph.Conv2D{Window: graph.Dense(1, graph.Valid)}, int8Type(1, 0, 1, 1, 1, 2), []int{2, 1, 1, depth},
			slices.Repeat([]int8{1}, 2*depth), []int32{0, 0}, []float32{0.25}, quant.PerTensor(1, 0))
		if got := eval(t, g, quant.DoubleUp, []int8{-2, -6}); !reflect.DeepEqual(got, want) {
			t.Errorf("%d channels a group: %v, want %v", depth, got, want)
		}
	}
}

// Scales whose ratio no float32 holds still leave 0 at 0.
func TestInfiniteRatio(t *testing.T) {
	g := weighted(graph.Conv2D{Window: graph.Dense(1, graph.Valid)}, int8Type(1e20, 0, 1, 1, 3, 1), []int{1, 1, 1, 1},
		[]int8{1}, []int32{0}, []float32{1e18}, quant.PerTensor(1e-5, 0))
	if got := eval(t, g, quant.Float32, []int8{0, 1, -1}); !reflect.DeepEqual(got, []int8{0, 127, -128}) {
		t.Errorf("%v", got)
	}
	g = graph.New("mean")
	g.Level = graph.Quantized
	y := g.Apply("y", graph.Mean{Axes: []int{1}}, g.Input("x", int8Type(1e38, 0, 1, 2)))
	y.Type.Quant = quant.PerTensor(0.1, 0)
	g.Outputs = []*graph.Value{y}
	for x, want := range map[[2]int8]int8{{0, 0}: 0, {1, 1}: 127, {-1, 0}: -128} {
		if got := eval(t, g, quant.Float32, x[:]); !reflect.DeepEqual(got, []int8{want}) {
			t.Errorf("mean of %v: %v, want %d", x, got, want)
		}
	}
	g.Inputs[0].Type.Quant, y.Type.Quant = quant.PerTensor(1e38, -128), quant.PerTensor(1e-5, 5)
	for x, want := range map[[2]int8]int8{{-128, -128}: 5, {-128, -127}: 127} {
		if got := eval(t, g, quant.Float32, x[:]); !reflect.DeepEqual(got, []int8{want}) {
			t.Errorf("mean of %v above -128: %v, want %d", x, got, want)
		}
	}
}

// The four kinds of rounding through one convolution that divides by 4.
func TestRoundings(t *testing.T) {
	g := weighted(graph.Conv2D{Window: graph.Dense(1, graph.Valid)}, int8Type(1, 0, 1, 1, 4, 1), []int{1, 1, 1, 1},
		[]int8{1}, []int32{0}, []float32{0.25}, quant.PerTensor(1, 0))
	in := []int8{-2, -6, -10, 2}
	for r, want := range [][]int8{
		quant.Double:   {-1, -2, -3, 1},
		quant.DoubleUp: {0, -1, -2, 1},
		quant.Single:   {0, -1, -2, 1},
		quant.Float32:  {0, -2, -2, 0},
	} {
		if got := eval(t, g, quant.Rounding(r), in); !reflect.DeepEqual(got, want) {
			t.Errorf("%v: %v/4 gives %v, want %v", quant.Rounding(r), in, got, want)
		}
	}
}

// The accumulator's budget, at its border: with zero point 0 and a weight of -1 a pixel of -128 adds 128.
func TestBudget(t *testing.T) {
	with := func(bias int32) *graph.Graph {
		return weighted(graph.Conv2D{Window: graph.Dense(1, graph.Valid)}, int8Type(1, 0, 1, 1, 1, 1), []int{1, 1, 1, 1},
			[]int8{-1}, []int32{bias}, []float32{1}, quant.PerTensor(1<<24, 0))
	}
	if got := eval(t, with(math.MaxInt32-128), quant.Double, []int8{-128}); !reflect.DeepEqual(got, []int8{127}) {
		t.Errorf("(2^31-1)/2^24 gives %v", got)
	}
	if _, err := New(with(math.MaxInt32-127), Options{}); err == nil || !strings.Contains(err.Error(), "may overflow") {
		t.Errorf("error %v", err)
	}
}
