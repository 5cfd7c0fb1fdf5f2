package convert

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/interp"
	"mnet-edge/graph/tflite"
	"mnet-edge/internal/golden"
	"mnet-edge/model"
	"mnet-edge/quant"
)

// The draws of rapid are the same in every run; -rapid.seed=0 draws others, as make soak does.
func init() { flag.Set("rapid.seed", "1") }

// checkpoint is a network with random weights and plausible BN statistics: small, but with every layer of the real one.
func checkpoint(change func(*model.Spec)) *model.Checkpoint {
	spec := model.DefaultSpec(model.NetD)
	spec.Width, spec.Size, spec.Classes = 1.0/16, 16, 4
	if change != nil {
		change(&spec)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	c := &model.Checkpoint{Spec: spec, Input: model.Input{Mean: 121, Std: 64}, Weights: model.Weights{}}
	for i := range spec.Classes {
		c.Labels = append(c.Labels, string(rune('a'+i)))
	}
	for _, p := range spec.Params() {
		data := make([]float32, p.Count())
		fan := float64(p.Count() / p.Shape[0])
		for i := range data {
			switch {
			case strings.HasSuffix(p.Name, "running_var"):
				data[i] = 0.5 + rng.Float32()
			case len(p.Shape) == 1 && strings.HasSuffix(p.Name, ".weight"):
				data[i] = 0.75 + rng.Float32()/2
			case len(p.Shape) == 1:
				data[i] = rng.Float32()/2 - 0.25
			default:
				data[i] = float32((2*rng.Float64() - 1) * math.Sqrt(6/fan)) // the variance of He's initialization
			}
		}
		c.Weights[p.Name] = model.Tensor{Shape: p.Shape, Data: data}
	}
	return c
}

// images are n inputs of random pixels, normalized.
func images(c *model.Checkpoint, n int) iter.Seq[[]float32] {
	return func(yield func([]float32) bool) {
		rng := rand.New(rand.NewPCG(3, 4))
		x := make([]float32, c.Spec.Size*c.Spec.Size*3)
		for range n {
			for i := range x {
				x[i] = (float32(rng.IntN(256)) - c.Input.Mean) / c.Input.Std
			}
			if !yield(x) {
				return
			}
		}
	}
}

func lower(t *testing.T, c *model.Checkpoint) *graph.Graph {
	t.Helper()
	g, err := Lower(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func convertTo(t *testing.T, c *model.Checkpoint, r Recipe) *Result {
	t.Helper()
	res, err := Run(context.Background(), lower(t, c), r, images(c, 8), nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// outputs runs the graph on each sample as a real-valued network: integer inputs and outputs are converted.
func outputs(t *testing.T, g *graph.Graph, samples iter.Seq[[]float32]) [][]float32 {
	t.Helper()
	return observed(t, g, samples, interp.Options{})
}

// observed is outputs with options of the interpreter.
func observed(t *testing.T, g *graph.Graph, samples iter.Seq[[]float32], o interp.Options) [][]float32 {
	t.Helper()
	m, err := interp.New(g, o)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]float32
	in, out := g.Inputs[0].Type, g.Outputs[0].Type
	for x := range samples {
		var data any = x
		if in.DType == graph.Int8 {
			q := make([]int8, len(x))
			for i := range x {
				q[i] = int8(quant.Quantize(x[i], in.Quant.Scale[0], in.Quant.Zero[0], quant.Int8Min, quant.Int8Max))
			}
			data = q
		}
		res, err := m.Run(data)
		if err != nil {
			t.Fatal(err)
		}
		switch y := res[0].(type) {
		case []float32:
			all = append(all, slices.Clone(y))
		case []int8:
			real := make([]float32, len(y))
			for i := range y {
				real[i] = quant.Dequantize(int32(y[i]), out.Quant.Scale[0], out.Quant.Zero[0])
			}
			all = append(all, real)
		}
	}
	return all
}

// snr is the ratio of the wanted outputs' energy to the difference's, in dB: the least there is where one of them is no number.
func snr(want, got [][]float32) float64 {
	var signal, noise float64
	for i := range want {
		for j := range want[i] {
			d := float64(want[i][j] - got[i][j])
			signal += float64(want[i][j]) * float64(want[i][j])
			noise += d * d
		}
	}
	if math.IsNaN(noise) {
		return math.Inf(-1)
	}
	return 10 * math.Log10(signal/noise)
}

// The text of the graph after each pass, for both paddings and net P: what a pass does is read in the diff of these files.
func TestGolden(t *testing.T) {
	const first = "same"
	for name, change := range map[string]func(*model.Spec){
		first:       nil,
		"symmetric": func(s *model.Spec) { s.Padding = model.PadSymmetric },
		"pooled":    func(s *model.Spec) { s.Net, s.Width = model.NetP, 1./16 },
	} {
		c := checkpoint(change)
		var b bytes.Buffer
		g := lower(t, c)
		b.WriteString(g.String())
		_, err := Run(context.Background(), g, Recipe{FloatIO: true}, images(c, 4), func(pass string, g *graph.Graph) {
			// Of the others, the end is enough: the passes are the same.
			if name == first || pass == "float-io" {
				b.WriteString("\nafter " + pass + ":\n")
				graph.Fprint(&b, g)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, filepath.Join("testdata", name+".golden"), b.String())
	}
}

// Folding changes the parametrization, not the function.
func TestFoldingKeepsTheFunction(t *testing.T) {
	for name, change := range map[string]func(*model.Spec){
		"D":           nil,
		"D no mid":    func(s *model.Spec) { s.MidReLU = false },
		"C":           func(s *model.Spec) { s.Net = model.NetC },
		"P":           func(s *model.Spec) { s.Net = model.NetP },
		"D symmetric": func(s *model.Spec) { s.Padding = model.PadSymmetric },
	} {
		c := checkpoint(change)
		want := outputs(t, lower(t, c), images(c, 3))
		res := convertTo(t, c, Recipe{Scheme: Float32})
		if res.Graph.Level != graph.Folded || res.Calibration != nil {
			t.Errorf("%s: level %v, calibration %v", name, res.Graph.Level, res.Calibration)
		}
		for _, n := range res.Graph.Nodes {
			if _, ok := n.Op.(graph.Activate); ok {
				t.Errorf("%s: %q is not fused", name, n.Out.Name)
			}
		}
		if db := snr(want, outputs(t, res.Graph, images(c, 3))); db < 100 {
			t.Errorf("%s: folded network at %.1f dB of the trained one", name, db)
		}
	}
}

// The int8 network stays near the float one, at either kind of edge, and the two kinds are the same inside.
func TestInt8NearFloat(t *testing.T) {
	for name, change := range map[string]func(*model.Spec){
		"D":           nil,
		"C":           func(s *model.Spec) { s.Net = model.NetC },
		"P":           func(s *model.Spec) { s.Net = model.NetP },
		"D symmetric": func(s *model.Spec) { s.Padding = model.PadSymmetric },
	} {
		c := checkpoint(change)
		want := outputs(t, lower(t, c), images(c, 8))
		int8s := outputs(t, convertTo(t, c, Recipe{}).Graph, images(c, 8))
		floats := outputs(t, convertTo(t, c, Recipe{FloatIO: true}).Graph, images(c, 8))
		if db := snr(want, int8s); db < 15 {
			t.Errorf("%s: int8 network at %.1f dB of the float one", name, db)
		}
		if db := snr(int8s, floats); !math.IsInf(db, 1) {
			t.Errorf("%s: float edges change the logits (%.1f dB)", name, db)
		}
	}
}

// A pixel reaches the int8 network as itself less 128: nothing is lost at the input.
func TestInputIsLossless(t *testing.T) {
	q := convertTo(t, checkpoint(nil), Recipe{}).Graph.Inputs[0].Type.Quant
	for pixel := range 256 {
		x := (float32(pixel) - 121) / 64
		if got := quant.Quantize(x, q.Scale[0], q.Zero[0], quant.Int8Min, quant.Int8Max); got != int32(pixel)-128 {
			t.Errorf("pixel %d becomes %d", pixel, got)
		}
	}
}

// A channel that training killed (weights near nothing, a normal bias) must neither saturate its bias nor get a scale
// that a runtime refuses. tensorflow#33735.
func TestDeadChannels(t *testing.T) {
	for _, gain := range []float32{1e-26, 0} {
		c := checkpoint(nil)
		w := c.Weights["layers.3.bn1.weight"].Data
		w[0], c.Weights["layers.3.bn1.bias"].Data[0] = gain, 0.8
		res := convertTo(t, c, Recipe{})
		i := slices.IndexFunc(res.Layers, func(l LayerReport) bool { return l.Name == "layers.3.conv1" })
		if l := res.Layers[i]; l.DeadChannels != 1 || l.BiasHeadroom < 0.99 {
			t.Errorf("gain %v: %+v", gain, l)
		}
		for _, n := range res.Graph.Nodes {
			if n.Out.Name != "layers.3.conv1" {
				continue
			}
			bias, scale := n.In[2].Data.([]int32)[0], n.In[2].Type.Quant.Scale[0]
			folded := 0.8 - float64(c.Weights["layers.3.bn1.running_mean"].Data[0])*float64(gain)
			if real := float64(bias) * float64(scale); math.Abs(real-folded) > 1e-3 {
				t.Errorf("gain %v: bias %d at scale %v is %v, want %v", gain, bias, scale, real, folded)
			}
			ratio := float64(scale) / float64(n.Out.Type.Quant.Scale[0])
			if ratio < math.Ldexp(1, -32) {
				t.Errorf("gain %v: factor %v is below what XNNPACK takes", gain, ratio)
			}
		}
	}
}

// The same recipe, weights and samples give the same bytes, however many processors share the calibration.
func TestReproducible(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var first []byte
	for _, procs := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(procs)
		b, err := tflite.Encode(convertTo(t, checkpoint(nil), Recipe{}).Graph)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		}
		if !bytes.Equal(b, first) {
			t.Errorf("%d processors: another file", procs)
		}
	}
}

// The package's comment has the pass table as it is.
func TestPassTableIsDocumented(t *testing.T) {
	src, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var listed, want []string
	for _, m := range regexp.MustCompile(`(?m)^//\t([a-z-]+) +(\w+)(?: +-> (\w+))?  `).FindAllStringSubmatch(string(src), -1) {
		listed = append(listed, fmt.Sprint(m[1], " ", m[2], " ", cmp.Or(m[3], m[2])))
	}
	for _, p := range passes {
		want = append(want, fmt.Sprint(p.name, " ", p.from, " ", p.to))
	}
	if !slices.Equal(listed, want) {
		t.Errorf("doc.go lists %q, the table is %q", listed, want)
	}
}

func TestRefusals(t *testing.T) {
	ok := images(checkpoint(nil), 2)
	for _, c := range []struct {
		name    string
		spoil   func(*model.Checkpoint)
		recipe  Recipe
		samples iter.Seq[[]float32]
		want    string
		is      error
	}{
		{"no samples", nil, Recipe{}, nil, "no samples", ErrCalibration},
		{"empty samples", nil, Recipe{}, images(checkpoint(nil), 0), "no samples", ErrCalibration},
		{"NaN sample", nil, Recipe{}, func(yield func([]float32) bool) {
			yield(slices.Repeat([]float32{float32(math.NaN())}, 16*16*3))
		}, "sample 0", ErrCalibration},
		{"short sample", nil, Recipe{}, func(yield func([]float32) bool) { yield(make([]float32, 3)) }, "sample 0: 3 values: want 768", ErrCalibration},
		{"unknown observer", nil, Recipe{Observer: "guess"}, ok, `unknown observer "guess"`, nil},
		{"unknown scheme", nil, Recipe{Scheme: "int3"}, ok, `unknown scheme "int3"`, nil},
		{"NaN weight", func(c *model.Checkpoint) { c.Weights["layers.2.conv2.weight"].Data[5] = float32(math.NaN()) }, Recipe{}, ok, `layer "layers.2.conv2"`, nil},
		{"missing weight", func(c *model.Checkpoint) { delete(c.Weights, "linear.bias") }, Recipe{}, ok, "linear.bias is missing", nil},
		{"labels", func(c *model.Checkpoint) { c.Labels = c.Labels[1:] }, Recipe{}, ok, "3 labels for 4 classes", nil},
	} {
		ck := checkpoint(nil)
		if c.spoil != nil {
			c.spoil(ck)
		}
		g, err := Lower(ck)
		if err == nil {
			_, err = Run(context.Background(), g, c.recipe, c.samples, nil)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	wide := graph.New("wide") // int16 has no softmax of so long a row, which shows where the result is run
	wide.Level = graph.Folded
	const row = 1<<16 + 4
	x := wide.Input("x", float32Type(1, 1))
	w := graph.Const("w", float32Type(row, 1), make([]float32, row))
	wide.Outputs = []*graph.Value{wide.Apply("z", graph.Softmax{Beta: 1}, wide.Apply("y", graph.FullyConnected{}, x, w))}
	fixed := Recipe{Scheme: Int16x8}.Trained(nil)
	one := func(yield func([]float32) bool) { yield([]float32{1}) }
	if _, err := Run(context.Background(), wide, fixed, one, nil); !errors.Is(err, ErrNetwork) || !strings.Contains(err.Error(), "measuring") {
		t.Errorf("refused while measuring: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, lower(t, checkpoint(nil)), Recipe{}, images(checkpoint(nil), 1000), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	interrupt := func(pass string, _ *graph.Graph) {
		if pass == "choose" {
			cancel()
		}
	}
	if _, err := Run(ctx, lower(t, checkpoint(nil)), Recipe{}, images(checkpoint(nil), 40), interrupt); !errors.Is(err, context.Canceled) || errors.Is(err, ErrNetwork) {
		t.Errorf("cancelled in a pass: %v", err)
	}
}

// Reading the table: each pass of a scheme takes the level that the one before gives.
func TestPassTable(t *testing.T) {
	for _, s := range Schemes {
		r := Recipe{Scheme: s, FloatIO: true, Equalize: ByBoth, CorrectBias: On, RoundWeights: On}
		level := graph.Float
		for _, p := range passes {
			if p.wanted != nil && !p.wanted(r) {
				continue
			}
			if p.from != level || p.to < p.from {
				t.Errorf("%s: %s leads from %v to %v, after %v", s, p.name, p.from, p.to, level)
			}
			level = p.to
		}
		if want := map[bool]graph.Level{true: graph.Folded, false: graph.Quantized}[s == Float32]; level != want {
			t.Errorf("%s: the table ends at %v", s, level)
		}
	}
}
