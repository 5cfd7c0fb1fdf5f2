package tflite

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	flatbuffers "github.com/google/flatbuffers/go"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/quant"
)

func TestRoundTrip(t *testing.T) {
	for name, g := range nets(t) {
		t.Run(name, func(t *testing.T) {
			b := encode(t, g)
			back, err := Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := back.String(), g.String(); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if !bytes.Equal(encode(t, back), b) || !bytes.Equal(encode(t, g), b) {
				t.Error("encoding again gives other bytes")
			}
		})
	}
}

func encode(t testing.TB, g *graph.Graph) []byte {
	t.Helper()
	b, err := Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Models that the TensorFlow converter made: see testdata/make.py.
func TestOthers(t *testing.T) {
	for name, want := range map[string]struct {
		level graph.Level
		ops   string
	}{
		"tf_float": {graph.Folded, "conv2d depthwise_conv2d conv2d mean fully_connected"},
		"tf_int8":  {graph.Quantized, "quantize conv2d depthwise_conv2d conv2d mean fully_connected dequantize"},
		"tf_any": {graph.Folded, "conv2d hard_swish mean conv2d logistic mul add average_pool max_pool concat transpose " +
			"conv2d reshape fully_connected softmax"},
		"tf_float16": {graph.Quantized, strings.Repeat("dequantize ", 8) + "conv2d depthwise_conv2d conv2d mean fully_connected"},
		"tf_dynamic": {graph.Quantized, "conv2d depthwise_conv2d conv2d mean fully_connected fully_connected"},
		"tf_int16x8": {graph.Quantized, "quantize conv2d depthwise_conv2d conv2d mean fully_connected dequantize"},
		"tf_curves":  {graph.Folded, "conv2d tanh conv2d leaky_relu conv2d mean fully_connected logistic add div fully_connected"},
		"tf_blocks": {graph.Folded, strings.Repeat("strided_slice ", 4) + "concat conv2d slice slice conv2d depthwise_conv2d conv2d reshape " +
			"reshape concat transpose reshape mirror_pad conv2d fully_connected reshape fully_connected reshape batch_matmul mul softmax " +
			"fully_connected reshape batch_matmul reshape add reduce_max sum mul sub logistic mul transpose_conv2d exp add log tanh mul " +
			"space_to_depth activate add pow sin add slice reshape l2_normalization fully_connected"},
		"tf_moves": {graph.Folded, "depth_to_space reshape reduce_max reduce_max reduce_min mirror_pad mirror_pad neg strided_slice slice " +
			"space_to_depth sum sum tile add reshape reshape reshape concat reshape reshape concat slice slice sub slice slice neg add " +
			"strided_slice strided_slice slice reshape slice slice reshape reshape slice reshape slice reshape slice reshape slice reshape add"},
		"tf_int8io": {graph.Quantized, "pad conv2d depthwise_conv2d conv2d mean fully_connected"},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := Decode(read(t, name))
			if err != nil {
				t.Fatal(err)
			}
			var ops []string
			for _, n := range g.Nodes {
				ops = append(ops, n.Op.Name())
			}
			if got := strings.Join(ops, " "); g.Level != want.level || got != want.ops {
				t.Errorf("%v %s", g.Level, got)
			}
			if _, ok := g.Meta.Extra["CONVERSION_METADATA"]; !ok {
				t.Error("lost the converter's entry")
			}
			again, err := Decode(encode(t, g))
			if err != nil || again.String() != g.String() {
				t.Errorf("%v\ngot\n%v\nwant\n%v", err, again, g)
			}
		})
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".tflite"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// raw reads a flatbuffer by the numbers of the public schema, through flatbuffers' own accessors.
type raw struct{ flatbuffers.Table }

func (r raw) at(id int) flatbuffers.UOffsetT {
	return flatbuffers.UOffsetT(r.Offset(flatbuffers.VOffsetT(4 + 2*id)))
}

func (r raw) int(id int) int32    { return r.GetInt32(r.Pos + r.at(id)) }
func (r raw) bytes(id int) []byte { return r.ByteVector(r.Pos + r.at(id)) }
func (r raw) len(id int) int      { return r.VectorLen(r.at(id)) }

func (r raw) child(id, i int) raw {
	return raw{flatbuffers.Table{Bytes: r.Bytes, Pos: r.Indirect(r.Vector(r.at(id)) + flatbuffers.UOffsetT(4*i))}}
}

// The layout as another reader has it: identifier, versions, operator codes, alignment, runtime version.
func TestLayout(t *testing.T) {
	for name, want := range map[string]struct {
		codes   [][2]int32 // code and version, after BuiltinOperator and op_version.cc
		runtime string
	}{
		"float": {[][2]int32{{34, 1}, {3, 1}, {4, 1}, {4, 2}, {3, 6}, {19, 1}, {21, 1}, {40, 1}, {22, 1}, {9, 1}}, "2.9.0"},
		"int8":  {[][2]int32{{114, 1}, {34, 2}, {3, 3}, {4, 3}, {21, 2}, {40, 2}, {9, 4}, {6, 2}, {22, 1}}, "1.14.0"},
	} {
		b := encode(t, nets(t)[name])
		if string(b[4:8]) != "TFL3" {
			t.Errorf("%s: identifier %q", name, b[4:8])
		}
		m := raw{flatbuffers.Table{Bytes: b, Pos: flatbuffers.GetUOffsetT(b)}}
		if v := m.int(0); v != 3 {
			t.Errorf("%s: version %d", name, v)
		}
		var codes [][2]int32
		for i := range m.len(1) {
			c := m.child(1, i)
			codes = append(codes, [2]int32{c.int(3), c.int(2)})
			if d := c.GetInt8(c.Pos + c.at(0)); int32(d) != c.int(3) {
				t.Errorf("%s: deprecated code %d for %d", name, d, c.int(3))
			}
		}
		if !slices.Equal(codes, want.codes) {
			t.Errorf("%s: operator codes %v", name, codes)
		}
		if m.child(4, 0).at(0) != 0 {
			t.Errorf("%s: buffer 0 has data", name)
		}
		for i := 1; i < m.len(4); i++ {
			buffer := m.child(4, i)
			if at := buffer.Vector(buffer.at(0)); at%16 != 0 {
				t.Errorf("%s: buffer %d begins at byte %d", name, i, at)
			}
		}
		entry := m.child(6, 0)
		runtime := m.child(4, int(entry.int(1))).bytes(0)
		if string(entry.bytes(0)) != "min_runtime_version" || len(runtime) != 16 ||
			strings.TrimRight(string(runtime), "\x00") != want.runtime {
			t.Errorf("%s: %s %q", name, entry.bytes(0), runtime)
		}
		if key := m.child(7, 0).bytes(2); string(key) != "serving_default" {
			t.Errorf("%s: signature %q", name, key)
		}
	}
}

// Versions that the networks above do not have.
func TestVersions(t *testing.T) {
	typed := func(d graph.DType, rank int) *graph.Value {
		return &graph.Value{Type: graph.Type{DType: d, Shape: slices.Repeat([]int{1}, rank)}}
	}
	for _, c := range []struct {
		op      graph.Op
		in, out graph.DType
		rank    int
		version int
		runtime string
	}{
		{graph.Quantize{To: graph.Int16}, graph.Float32, graph.Int16, 1, 2, "1.15.0"},
		{graph.Dequantize{}, graph.UInt8, graph.Float32, 1, 1, "1.13.1"},
		{graph.Dequantize{}, graph.Int16, graph.Float32, 1, 3, "1.15.0"},
		{graph.Pad{}, graph.Int8, graph.Int8, 5, 4, "2.6.0"},
		{graph.Activate{Act: graph.ReLU}, graph.Int8, graph.Int8, 4, 2, "2.1.0"},
		{graph.Pool{}, graph.Int8, graph.Int8, 4, 2, "1.14.0"},
		{graph.Unary{Fn: graph.HardSwish}, graph.Int8, graph.Int8, 4, 1, "1.15.0"},
		{graph.Unary{Fn: graph.Logistic}, graph.Float32, graph.Float32, 4, 1, "1.14.0"},
		{graph.Resize{HalfPixel: true}, graph.Int8, graph.Int8, 4, 3, "2.2.0"},
		{graph.Resize{}, graph.Int8, graph.Int8, 4, 2, "1.14.0"},
		{graph.Resize{Fn: graph.Nearest, AlignCorners: true}, graph.Float32, graph.Float32, 4, 3, "2.3.0"},
		{graph.Resize{Fn: graph.Nearest}, graph.Float32, graph.Float32, 4, 1, "1.13.1"},
		{graph.Transpose{}, graph.Int8, graph.Int8, 4, 2, "1.14.0"},
		{graph.Transpose{}, graph.Int8, graph.Int8, 5, 4, "2.3.0"},
		{graph.Transpose{}, graph.Float32, graph.Float32, 6, 6, "2.12.0"},
		{graph.Activate{Act: graph.ReLU}, graph.Int16, graph.Int16, 4, 3, "2.5.0"},
		{graph.Pool{}, graph.Int16, graph.Int16, 4, 3, "2.3.0"},
		{graph.Mean{}, graph.Int16, graph.Int16, 4, 3, "2.4.0"},
		{graph.Pad{}, graph.Int16, graph.Int16, 4, 3, "2.4.0"},
		{graph.Concat{}, graph.Int16, graph.Int16, 4, 3, "2.3.0"},
		{graph.Softmax{}, graph.Int16, graph.Int16, 4, 3, "2.3.0"},
		{graph.Unary{Fn: graph.Logistic}, graph.Int16, graph.Int16, 4, 3, "2.3.0"},
		{graph.Reshape{}, graph.Int16, graph.Int16, 4, 1, "1.5.0"},
		{graph.Transpose{}, graph.Int16, graph.Int16, 5, 5, "2.4.0"},
		{graph.Resize{HalfPixel: true}, graph.Int16, graph.Int16, 4, 4, "2.5.0"},
		{graph.Resize{Fn: graph.Nearest}, graph.Int16, graph.Int16, 4, 4, "2.4.0"},
		{graph.Arithmetic{Fn: graph.Add}, graph.Int16, graph.Int16, 4, 3, "2.4.0"},
		{graph.Arithmetic{Fn: graph.Sub}, graph.Int16, graph.Int16, 4, 5, "2.4.0"},
		{graph.Arithmetic{Fn: graph.Mul}, graph.Int16, graph.Int16, 4, 4, "2.3.0"},
		{graph.Dequantize{}, graph.Float16, graph.Float32, 4, 3, "1.15.0"},
		{graph.Slice{}, graph.Float32, graph.Float32, 4, 1, "1.14.0"},
		{graph.Slice{}, graph.Int8, graph.Int8, 4, 2, "1.14.0"},
		{graph.Slice{}, graph.Int16, graph.Int16, 4, 4, "2.4.0"},
		{graph.Slice{}, graph.Int8, graph.Int8, 5, 5, "2.5.0"},
		{graph.Slice{Step: []int{-1}}, graph.Float32, graph.Float32, 4, 1, "1.6.0"},
		{graph.Slice{Step: []int{-1}}, graph.Int8, graph.Int8, 4, 2, "1.14.0"},
		{graph.Slice{Step: []int{-1}}, graph.Int16, graph.Int16, 4, 1, "1.6.0"},
		{graph.Slice{Step: []int{-1}}, graph.Int8, graph.Int8, 5, 4, "2.2.0"},
		{graph.SpaceToDepth{}, graph.Float32, graph.Float32, 4, 1, "1.5.0"},
		{graph.SpaceToDepth{}, graph.Int8, graph.Int8, 4, 2, "1.14.0"},
		{graph.DepthToSpace{}, graph.Int8, graph.Int8, 4, 2, "2.5.0"},
		{graph.MirrorPad{}, graph.Float32, graph.Float32, 4, 1, "1.13.1"},
		{graph.MirrorPad{}, graph.Int8, graph.Int8, 4, 2, "2.3.0"},
		{graph.MirrorPad{}, graph.Int16, graph.Int16, 4, 3, "2.12.0"},
		{graph.Tile{}, graph.Float32, graph.Float32, 4, 1, "1.10.1"},
		{graph.Tile{}, graph.Int8, graph.Int8, 4, 3, "2.8.0"},
		{graph.Reduce{}, graph.Float32, graph.Float32, 4, 1, "1.10.0"},
		{graph.Reduce{Fn: graph.Largest}, graph.Int8, graph.Int8, 4, 2, "1.14.0"},
		{graph.Reduce{Fn: graph.Smallest}, graph.Int16, graph.Int16, 4, 3, "2.5.0"},
		{graph.Unary{Fn: graph.Log}, graph.Float32, graph.Float32, 4, 1, "1.14.0"},
		{graph.Unary{Fn: graph.Sin}, graph.Float32, graph.Float32, 4, 1, "1.9.0"},
		{graph.Unary{Fn: graph.Cos}, graph.Float32, graph.Float32, 4, 1, "1.14.0"},
		{graph.Pair{Fn: graph.Pow}, graph.Float32, graph.Float32, 4, 1, "1.10.0"},
		{graph.L2Norm{}, graph.Float32, graph.Float32, 4, 1, "1.5.0"},
		{graph.BatchMatMul{}, graph.Float32, graph.Float32, 4, 1, "2.3.0"},
		{graph.TransposeConv2D{}, graph.Float32, graph.Float32, 4, 1, "1.9.0"},
	} {
		e := codecOf(c.op)
		n := &graph.Node{Op: c.op, In: []*graph.Value{typed(c.in, c.rank), typed(c.in, c.rank)}, Out: typed(c.out, c.rank)}
		if v := e.version(n); v != c.version || e.since[v-1] != c.runtime {
			t.Errorf("%s of %v: version %d", c.op.Name(), c.in, v)
		}
	}
	for _, c := range []struct {
		op      graph.Op
		x, w    graph.DType
		scales  int // of the weights
		version int
		runtime string
	}{
		{graph.Conv2D{}, graph.Float32, graph.Int8, 1, 2, "1.14.0"},
		{graph.Conv2D{}, graph.Int16, graph.Int8, 2, 4, "2.3.0"},
		{graph.Conv2D{}, graph.Float32, graph.Int8, 2, 5, "2.4.0"},
		{graph.Conv2D{}, graph.Int8, graph.Int4, 2, 7, "2.11.0"},
		{graph.DepthwiseConv2D{}, graph.Float32, graph.Int8, 1, 4, "2.2.0"},
		{graph.DepthwiseConv2D{}, graph.Int16, graph.Int8, 2, 5, "2.3.0"},
		{graph.DepthwiseConv2D{}, graph.Float32, graph.Int8, 2, 6, "2.3.0"},
		{graph.DepthwiseConv2D{}, graph.Int8, graph.Int4, 2, 7, "2.11.0"},
		{graph.FullyConnected{}, graph.Float32, graph.Int8, 1, 3, "1.14.0"},
		{graph.FullyConnected{KeepDims: true}, graph.Int8, graph.Int8, 2, 5, "2.0.0"},
		{graph.FullyConnected{}, graph.Int16, graph.Int8, 1, 7, "2.3.0"},
		{graph.FullyConnected{Asymmetric: true}, graph.Float32, graph.Int8, 1, 9, "2.3.0"},
		{graph.FullyConnected{}, graph.Int8, graph.Int4, 1, 10, "2.11.0"},
		{graph.FullyConnected{Asymmetric: true}, graph.Float32, graph.Int8, 2, 12, "2.17.0"},
	} {
		x, w := typed(c.x, 4), typed(c.w, 4)
		w.Type.Quant = quant.PerChannel(make([]float32, c.scales), 0)
		e := codecOf(c.op)
		if v := e.version(&graph.Node{Op: c.op, In: []*graph.Value{x, w}}); v != c.version || e.since[v-1] != c.runtime {
			t.Errorf("%s of %v with %v: version %d, since %s", c.op.Name(), c.x, c.w, v, e.since[v-1])
		}
	}
	if !older("1.9.0", "1.14.0") || older("2.1.0", "2.1.0") || older("2.0.0", "1.15.2") {
		t.Error("release order")
	}
}

// A convolution without bias gets one of zeros, as runtimes want it, and stays as it is from then on.
func TestMissingBias(t *testing.T) {
	g := floatNet()
	conv := g.Nodes[1]
	conv.In[2].Uses = nil
	conv.In = conv.In[:2]
	b := encode(t, g)
	back, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	bias := back.Nodes[1].In[2]
	if data, ok := bias.Data.([]float32); !ok || len(data) != 6 || slices.Max(data) != 0 || slices.Min(data) != 0 {
		t.Errorf("bias %v", bias.Data)
	}
	if !bytes.Equal(encode(t, back), b) {
		t.Error("encoding again gives other bytes")
	}
}

func TestEncodeRefuses(t *testing.T) {
	for want, spoil := range map[string]func(*graph.Graph){
		`batch_norm "bn" has no form`: func(g *graph.Graph) {
			g.Level = graph.Float
			p := graph.Const("p", graphtest.Floats(3), make([]float32, 3))
			g.Apply("bn", graph.BatchNorm{}, g.Inputs[0], p, p, p, p)
		},
		`activate "x" has no form`: func(g *graph.Graph) { g.Apply("x", graph.Activate{}, g.Inputs[0]) },
		"0 outputs":                func(g *graph.Graph) { g.Outputs = nil },
		"not plain text":           func(g *graph.Graph) { g.Meta.Labels = []string{"a", "b\nc"} },
		"65537 labels":             func(g *graph.Graph) { g.Meta.Labels = make([]string, maxLabelLines+1) },
		"bytes of labels":          func(g *graph.Graph) { g.Meta.Labels = []string{strings.Repeat("a", maxLabels)} },
		"1 means and 0":            func(g *graph.Graph) { g.Meta.Mean = []float32{1} },
		"standard deviation 0":     func(g *graph.Graph) { g.Meta.Mean, g.Meta.Std = []float32{1}, []float32{0} },
		"mean +Inf": func(g *graph.Graph) {
			g.Meta.Mean, g.Meta.Std = []float32{float32(math.Inf(1))}, []float32{1}
		},
		"name is not free": func(g *graph.Graph) { g.Meta.Extra = map[string][]byte{infoEntry: nil} },
		"want at most 536870912": func(g *graph.Graph) {
			g.Meta.Extra = map[string][]byte{}
			for mb, i := make([]byte, 1<<20), 0; i < maxData>>20; i++ {
				g.Meta.Extra[strconv.Itoa(i)] = mb
			}
		},
	} {
		g := floatNet()
		spoil(g)
		if _, err := Encode(g); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
