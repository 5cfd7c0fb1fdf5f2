package infer_test

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/quant"
)

func encode(t *testing.T, g *graph.Graph) []byte {
	t.Helper()
	b, err := tflite.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// small is the network of the tests with its graph changed.
func small(t *testing.T, kind infertest.Kind, change func(*graph.Graph)) []byte {
	t.Helper()
	g, err := infertest.Net(infertest.Small, kind, 1)
	if err != nil {
		t.Fatal(err)
	}
	change(g)
	return encode(t, g)
}

// pooled is a graph that averages an input of a shape over its axes 1 and 2.
func pooled(shape ...int) *graph.Graph {
	g := graph.New("pool")
	g.Level = graph.Folded
	x := g.Input("x", graph.Type{DType: graph.Float32, Shape: shape})
	g.Outputs = []*graph.Value{g.Apply("mean", graph.Mean{Axes: []int{1, 2}}, x)}
	g.Meta = graph.Meta{Mean: []float32{0}, Std: []float32{255}}
	return g
}

func TestLoad(t *testing.T) {
	b := small(t, infertest.Int8, func(g *graph.Graph) {})
	m, err := infer.Load(b, infer.Given{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Height != 16 || m.Width != 16 || m.Classes != 5 || m.Labels[4] != "class 4" ||
		m.Mean != [3]float32{125, 123, 114} || m.Std != [3]float32{63, 62, 67} {
		t.Errorf("%d x %d, %d classes %q, mean %v std %v", m.Height, m.Width, m.Classes, m.Labels, m.Mean, m.Std)
	}
	m, err = infer.Load(b, infer.Given{Mean: []float32{1}, Std: []float32{2}, Labels: []string{"a", "b", "c", "d", "e"}})
	if err != nil {
		t.Fatal(err)
	}
	if m.Mean != [3]float32{1, 1, 1} || m.Std != [3]float32{2, 2, 2} || m.Labels[0] != "a" {
		t.Errorf("what is given does not go first: mean %v std %v labels %q", m.Mean, m.Std, m.Labels)
	}
	m, err = infer.Load(small(t, infertest.Int8, func(g *graph.Graph) { g.Meta.Labels = nil }), infer.Given{})
	if err != nil || m.Labels != nil {
		t.Errorf("without labels: %v, error %v", m, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	good := small(t, infertest.Int8, func(*graph.Graph) {})
	bare := small(t, infertest.Int8, func(g *graph.Graph) { g.Meta = graph.Meta{} })
	nan := float32(math.NaN())
	for _, test := range []struct {
		name  string
		model []byte
		given infer.Given
		want  string // in the error
	}{
		{"gray image", encode(t, pooled(1, 8, 8, 1)), infer.Given{}, "want an image"},
		{"batch of two", encode(t, pooled(2, 8, 8, 3)), infer.Given{}, "want an image"},
		{"no image", encode(t, pooled(1, 8, 8)), infer.Given{}, "want an image"},
		{"no normalization", bare, infer.Given{}, "mean and std"},
		{"mean without std", good, infer.Given{Mean: []float32{1}}, "std has 0 values"},
		{"two means", good, infer.Given{Mean: []float32{1, 2}, Std: []float32{1}}, "mean has 2 values"},
		{"std 0", good, infer.Given{Mean: []float32{1}, Std: []float32{1, 0, 1}}, "std 0"},
		{"std negative", good, infer.Given{Mean: []float32{1}, Std: []float32{-1}}, "std -1"},
		{"mean NaN", good, infer.Given{Mean: []float32{nan}, Std: []float32{1}}, "not a number"},
		{"too few labels", good, infer.Given{Labels: []string{"a"}}, "1 labels for 5 classes"},
		{"blank label", good, infer.Given{Labels: []string{"a", "b", " ", "d", "e"}}, "label 2"},
		{"control character", good, infer.Given{Labels: []string{"a", "b\x1b[2J", "c", "d", "e"}}, "label 1"},
		{"not UTF-8", good, infer.Given{Labels: []string{"a", "b\x9b2J", "c", "d", "e"}}, "label 1"},
		{"text turned round", good, infer.Given{Labels: []string{"a", "b", "c\u202egpj.exe", "d", "e"}}, "label 2"},
		{"too many labels", good, infer.Given{Labels: []string{"a", "b", "c", "d", "e", ""}}, "6 labels for 5 classes"},
		{"labels in the file too few", small(t, infertest.Int8, func(g *graph.Graph) { g.Meta.Labels = g.Meta.Labels[:4] }), infer.Given{}, "4 labels for 5"},
		{"cut", good[:len(good)/2], infer.Given{}, ""},
		{"two outputs", small(t, infertest.Int8, func(g *graph.Graph) { g.Outputs = append(g.Outputs, g.Nodes[0].Out) }), infer.Given{}, "2 outputs"},
		{"scores of no class", small(t, infertest.Int8, func(g *graph.Graph) { g.Outputs[0] = g.Nodes[0].Out }), infer.Given{}, "one score a class"},
	} {
		_, err := infer.Load(test.model, test.given)
		if !errors.Is(err, infer.ErrModel) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want ErrModel with %q", test.name, err, test.want)
		}
		if got := errors.Is(err, infer.ErrMetadata); got != (test.name == "no normalization") {
			t.Errorf("%s: ErrMetadata is %v", test.name, got)
		}
	}
}

// LoadImage asks for an image alone, and takes scores where there are some.
func TestLoadImage(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*graph.Graph)
		classes int
	}{
		{"scores", func(*graph.Graph) {}, 5},
		{"two outputs", func(g *graph.Graph) { g.Outputs = append(g.Outputs, g.Nodes[0].Out) }, 0},
		{"a map of features", func(g *graph.Graph) { g.Outputs[0] = g.Nodes[0].Out }, 0},
	} {
		g, err := infertest.Net(infertest.Small, infertest.Int8, 1)
		if err != nil {
			t.Fatal(err)
		}
		c.change(g)
		m, err := infer.LoadImage(g, infer.Given{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if m.Classes != c.classes || m.Height != 16 || len(m.Labels) != c.classes || (m.Output.Name == "") != (c.classes == 0) {
			t.Errorf("%s: %d classes %q, output %q, height %d", c.name, m.Classes, m.Labels, m.Output.Name, m.Height)
		}
		if err := m.Preprocess(make([]byte, m.Input.Type.Bytes()), make([]byte, 16*16*3)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := infer.LoadImage(g, infer.Given{Mean: []float32{1}, Std: []float32{0}}); !errors.Is(err, infer.ErrModel) {
			t.Errorf("%s: without a normalization: %v", c.name, err)
		}
	}
	g := pooled(1, 8, 8, 1)
	if _, err := infer.LoadImage(g, infer.Given{}); !errors.Is(err, infer.ErrModel) {
		t.Errorf("a gray image: %v", err)
	}
	g.Input("y", graph.Type{DType: graph.Float32, Shape: []int{1}})
	if _, err := infer.LoadImage(g, infer.Given{}); !errors.Is(err, infer.ErrModel) {
		t.Errorf("two inputs: %v", err)
	}
}

// Preprocess is (pixel - mean) / std of the pixel's channel, and for integers the nearest step of the input's scale.
func TestPreprocess(t *testing.T) {
	rgb := make([]byte, 16*16*3)
	for i := range rgb {
		rgb[i] = byte(i)
	}
	for _, kind := range []infertest.Kind{infertest.Float, infertest.Int8} {
		m, err := infer.Load(small(t, kind, func(*graph.Graph) {}), infer.Given{})
		if err != nil {
			t.Fatal(err)
		}
		in := make([]byte, m.Input.Type.Bytes())
		if err := m.Preprocess(in, rgb); err != nil {
			t.Fatal(err)
		}
		for i, pixel := range rgb {
			x := (float64(pixel) - float64(m.Mean[i%3])) / float64(m.Std[i%3])
			if kind == infertest.Float {
				if got := math.Float32frombits(binary.LittleEndian.Uint32(in[4*i:])); got != float32(x) {
					t.Fatalf("pixel %d of channel %d is %v, want %v", pixel, i%3, got, float32(x))
				}
				continue
			}
			want := min(max(math.Round(x*64)-1, -128), 127) // infertest's input: scale 1/64, zero -1
			if got := float64(int8(in[i])); got != want {
				t.Fatalf("pixel %d of channel %d is %v, want %v", pixel, i%3, got, want)
			}
		}
		for _, n := range []int{0, len(rgb) - 3, len(rgb) + 3} {
			if m.Preprocess(in, make([]byte, n)) == nil {
				t.Errorf("an image of %d bytes was taken", n)
			}
		}
		if m.Preprocess(in[1:], rgb) == nil {
			t.Error("room for less than the input was taken")
		}
		if n := testing.AllocsPerRun(10, func() { m.Preprocess(in, rgb) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func TestScores(t *testing.T) {
	m, err := infer.Load(small(t, infertest.Int8, func(g *graph.Graph) {
		g.Outputs[0].Type.Quant = quant.PerTensor(0.5, 3)
	}), infer.Given{})
	if err != nil {
		t.Fatal(err)
	}
	scores := make([]float32, 5)
	if err := m.Scores(scores, []byte{3, 5, 0x80, 0x7f, 0xff}); err != nil {
		t.Fatal(err)
	}
	if want := []float32{0, 1, -65.5, 62, -2}; !slices.Equal(scores, want) {
		t.Errorf("%v, want %v", scores, want)
	}
	if m.Scores(scores, make([]byte, 4)) == nil || m.Scores(scores[1:], make([]byte, 5)) == nil {
		t.Error("wrong lengths were taken")
	}

	wide, err := infer.Load(small(t, infertest.Int8, func(g *graph.Graph) {
		g.Outputs[0].Type.Quant = quant.PerTensor(1e37, -128)
	}), infer.Given{})
	if err != nil {
		t.Fatal(err)
	}
	if err := wide.Scores(scores, []byte{0x7f, 0, 0, 0, 0}); !errors.Is(err, infer.ErrModel) {
		t.Errorf("a score beyond float32: error %v", err)
	}
}

// ImageNet has two kinds of crane and two maillots: names may come twice.
func TestLabelTwice(t *testing.T) {
	b := small(t, infertest.Int8, func(*graph.Graph) {})
	if m, err := infer.Load(b, infer.Given{Labels: []string{"crane", "maillot", "crane", "fly", "bee"}}); err != nil || m.Labels[2] != "crane" {
		t.Errorf("error %v", err)
	}
}

func TestTopK(t *testing.T) {
	m := infer.Model{Classes: 4, Labels: []string{"a", "b", "c", "d"}}
	log := func(x float64) float32 { return float32(math.Log(x)) }
	scores := []float32{log(2), log(4), log(2), log(8)} // softmax: 1/8, 1/4, 1/8, 1/2
	for k, want := range map[int]string{-1: "", 0: "", 1: "d", 3: "dba", 4: "dbac", 9: "dbac"} {
		got := ""
		for _, p := range m.TopK(scores, k) {
			got += p.Label
			if off := math.Abs(p.Probability - []float64{0.125, 0.25, 0.125, 0.5}[p.Index]); off > 1e-6 || m.Labels[p.Index] != p.Label {
				t.Errorf("%+v is off by %v", p, off)
			}
		}
		if got != want {
			t.Errorf("top %d: %q, want %q", k, got, want)
		}
	}
	if p := m.TopK([]float32{1000, -1000, 0, 0}, 1)[0]; p.Probability != 1 || p.Label != "a" {
		t.Errorf("large scores: %+v", p)
	}
	m.Labels = nil
	if p := m.TopK(scores, 1)[0]; p.Label != "" || p.Index != 3 {
		t.Errorf("without labels: %+v", p)
	}
}
