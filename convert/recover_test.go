package convert

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/graph/tflite"
	"mnet-edge/internal/golden"
	"mnet-edge/model"
)

// plain is the recipe in which nothing is recovered.
var plain = Recipe{Observer: "minmax", Equalize: Off, CorrectBias: Off, RoundWeights: Off}

func (r Recipe) with(change func(*Recipe)) Recipe {
	change(&r)
	return r
}

// folded is the small network after folding.
func folded(t *testing.T, c *model.Checkpoint) *graph.Graph {
	t.Helper()
	return convertTo(t, c, Recipe{Scheme: Float32}).Graph
}

// Equalization and absorption change the parametrization, not the function.
func TestEqualizeKeepsTheFunction(t *testing.T) {
	for name, change := range map[string]func(*model.Spec){
		"D":           nil,
		"D no mid":    func(s *model.Spec) { s.MidReLU = false },
		"C":           func(s *model.Spec) { s.Net = model.NetC },
		"D symmetric": func(s *model.Spec) { s.Padding = model.PadSymmetric },
	} {
		for _, how := range []Choice{ByWeights, ByActivations, ByBoth} {
			c := checkpoint(change)
			g := folded(t, c)
			want := outputs(t, g, images(c, 6))
			samples, _ := collect(context.Background(), g, images(c, 6))
			conv := &conversion{ctx: context.Background(), g: g, recipe: Recipe{Equalize: how}, samples: samples, peaks: samples, works: newWorks()}
			n := len(streams(g))
			if layers := len(c.Spec.Layers()); n < layers-2 {
				t.Errorf("%s: %d streams among %d layers", name, n, layers)
			}
			if err := equalize(conv); err != nil {
				t.Fatal(err)
			}
			if err := g.Check(); err != nil {
				t.Fatal(err)
			}
			if db := snr(want, outputs(t, g, images(c, 6))); db < 90 {
				t.Errorf("%s by %s: at %.1f dB of the network before", name, how, db)
			}
		}
	}
}

// The products are those of the definition, however many processors share them, and centred rows have the mean 0.
func TestProducts(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	numbers := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.IntN(600) - 100)
		}
		return x
	}
	const row = 50
	for _, size := range [][2]int{{1, 1}, {6, 6}, {7, 40}, {40, 3}} {
		a, b := numbers(size[0]*row), numbers(size[1]*row)
		got, err := products(a, b, row)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			want := 0.
			for k := range row {
				want += float64(a[i/size[1]*row+k]) * float64(b[i%size[1]*row+k])
			}
			if float64(got[i]) != want { // whole numbers, which float32 holds
				t.Errorf("%v: product %d is %v, want %v", size, i, got[i], want)
			}
		}
	}
	x := numbers(3 * row)
	before := slices.Clone(x)
	centre(x, row)
	for r := range 3 {
		sum := 0.
		for i := r * row; i < (r+1)*row; i++ {
			sum += float64(x[i])
			if math.Abs(float64((x[i]-x[r*row])-(before[i]-before[r*row]))) > 1e-3 {
				t.Errorf("row %d: %v became %v", r, before[i], x[i])
			}
		}
		if math.Abs(sum) > 1e-2 {
			t.Errorf("row %d adds up to %v", r, sum)
		}
	}
}

// What is a stream, and what it allows.
func TestStreams(t *testing.T) {
	type net struct {
		*graph.Graph
		x *graph.Value
	}
	conv := func(g net, name string, x *graph.Value, kernel int, act graph.Activation) *graph.Value {
		return g.Apply(name, graph.Conv2D{Window: graph.Dense(1, graph.Same), Act: act}, x,
			graphtest.Const(name+".w", nil, 2, kernel, kernel, 2), graphtest.Const(name+".b", nil, 2))
	}
	for _, c := range []struct {
		name  string
		build func(g net) *graph.Value
		want  []string // writers > readers: what is allowed
	}{
		{"two layers", func(g net) *graph.Value {
			return conv(g, "b", conv(g, "a", g.x, 1, graph.Linear), 1, graph.Linear)
		}, []string{"[a] > [b]: turns, shifts"}},
		{"a ReLU", func(g net) *graph.Value {
			return conv(g, "b", conv(g, "a", g.x, 1, graph.ReLU), 1, graph.Linear)
		}, []string{"[a] > [b]: shifts"}},
		{"a ReLU6", func(g net) *graph.Value {
			return conv(g, "b", conv(g, "a", g.x, 1, graph.ReLU6), 1, graph.Linear)
		}, nil},
		{"padding", func(g net) *graph.Value {
			return conv(g, "b", conv(g, "a", g.x, 1, graph.Linear), 3, graph.Linear)
		}, []string{"[a] > [b]: turns"}},
		{"two readers", func(g net) *graph.Value {
			a := conv(g, "a", g.x, 1, graph.Linear)
			b := conv(g, "b", a, 1, graph.Linear)
			return g.Apply("out", graph.Concat{Axis: 3}, b, conv(g, "c", a, 1, graph.Linear))
		}, []string{"[a] > [b c]: turns, shifts"}},
		{"a residual", func(g net) *graph.Value {
			a := conv(g, "a", g.x, 1, graph.Linear)
			sum := g.Apply("sum", graph.Arithmetic{Fn: graph.Add}, a, conv(g, "b", a, 1, graph.Linear))
			return conv(g, "c", sum, 1, graph.Linear)
		}, []string{"[a b] > [b c]: turns"}},
		{"a residual of the input", func(g net) *graph.Value {
			sum := g.Apply("sum", graph.Arithmetic{Fn: graph.Add}, g.x, conv(g, "a", g.x, 1, graph.Linear))
			return conv(g, "b", sum, 1, graph.Linear)
		}, nil},
		{"two residuals, one with a ReLU", func(g net) *graph.Value {
			a := conv(g, "a", g.x, 1, graph.Linear)
			sum := g.Apply("sum", graph.Arithmetic{Fn: graph.Add, Act: graph.ReLU}, a, conv(g, "b", a, 1, graph.ReLU))
			sum = g.Apply("difference", graph.Arithmetic{Fn: graph.Sub}, sum, conv(g, "c", sum, 3, graph.Linear))
			return conv(g, "d", sum, 1, graph.Linear)
		}, []string{"[a b c] > [b c d]: "}},
		{"pools", func(g net) *graph.Value {
			pool := func(name string, fn graph.PoolFunc, x *graph.Value) *graph.Value {
				return g.Apply(name, graph.Pool{Fn: fn, Window: graph.Dense(2, graph.Valid), Size: [2]int{2, 2}}, x)
			}
			b := conv(g, "b", pool("average", graph.Average, conv(g, "a", g.x, 1, graph.Linear)), 1, graph.Linear)
			return conv(g, "c", pool("largest", graph.Max, b), 1, graph.Linear)
		}, []string{"[a] > [b]: turns", "[b] > [c]: "}},
		{"somebody else looks", func(g net) *graph.Value {
			a := conv(g, "a", g.x, 1, graph.Linear)
			return g.Apply("out", graph.Arithmetic{Fn: graph.Mul}, a, conv(g, "b", a, 1, graph.Linear))
		}, nil},
	} {
		g := net{Graph: graph.New("streams")}
		g.x = g.Input("x", float32Type(1, 4, 4, 2))
		g.Outputs, g.Level = []*graph.Value{c.build(g)}, graph.Folded
		if err := g.Check(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var got []string
		for _, s := range streams(g.Graph) {
			names := func(nodes []*graph.Node) (all []string) {
				for _, n := range nodes {
					all = append(all, n.Out.Name)
				}
				return all
			}
			var allowed []string
			if s.signed {
				allowed = append(allowed, "turns")
			}
			if s.shifts() {
				allowed = append(allowed, "shifts")
			}
			got = append(got, fmt.Sprintf("%v > %v: %s", names(s.writers), names(s.readers), strings.Join(allowed, ", ")))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Equalizing activations turns the channels that a layer without a ReLU hands to one without padding to their longer end and lets
// them begin at 0; and the integers gain by it.
func TestTurnedChannels(t *testing.T) {
	c := checkpoint(func(s *model.Spec) { s.MidReLU = false })
	g := folded(t, c)
	samples, _ := collect(context.Background(), g, scenes(c, 16))
	conv := &conversion{ctx: context.Background(), g: g, recipe: Recipe{Equalize: ByActivations}, samples: samples, peaks: samples, works: newWorks()}
	before, err := conv.channelPeaks(streams(g))
	if err != nil {
		t.Fatal(err)
	}
	if err := conv.equalizeActivations(); err != nil {
		t.Fatal(err)
	}
	after, err := conv.channelPeaks(streams(g))
	if err != nil {
		t.Fatal(err)
	}
	linear, turned := 0, 0
	for v, ps := range after {
		if !weighted(v.Def) || activation(v.Def.Op) != graph.Linear {
			continue
		}
		for i, p := range ps {
			linear++
			if b := before[v][i]; -b.least > b.most {
				turned++
			}
			if width := float64(p.most) - float64(p.least); math.Abs(float64(p.least)) > 1e-3*width {
				t.Errorf("%s, channel %d: from %v to %v, want from 0", v.Name, i, p.least, p.most)
			}
		}
	}
	if linear == 0 || turned == 0 || turned == linear {
		t.Errorf("%d of %d linear channels were longer below 0: the test shows nothing", turned, linear)
	}
}

// unbalance multiplies each channel between two layers by a power of two and divides it out behind: the same network,
// as a training without batch normalization's help might have left it.
func unbalance(g *graph.Graph) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, s := range streams(g) {
		f := make([]float64, s.channels)
		for i := range f {
			f[i] = math.Ldexp(1, rng.IntN(13)-6)
		}
		if err := s.scale(context.Background(), f); err != nil {
			panic(err) // of a context that nobody ends
		}
	}
}

// With one scale a weight, channels of different sizes are what destroys an int8 network (Krishnamoorthi 2018: 70.9 %
// to 0.1 %); equalization and bias correction bring it back to where the balanced network is.
func TestPerTensorRecovers(t *testing.T) {
	c := checkpoint(nil)
	want := outputs(t, folded(t, c), images(c, 16))
	db := func(spoil bool, r Recipe) float64 {
		g := folded(t, c)
		if spoil {
			unbalance(g)
		}
		r.PerTensor = true
		res, err := Run(context.Background(), g, r, images(c, 16), nil)
		if err != nil {
			t.Fatal(err)
		}
		return snr(want, outputs(t, res.Graph, images(c, 16)))
	}
	recovered := plain.with(func(r *Recipe) { r.Equalize, r.CorrectBias = ByWeights, On })
	balanced, collapsed, back := db(false, plain), db(true, plain), db(true, recovered)
	t.Logf("balanced %.1f dB, unbalanced %.1f dB, recovered %.1f dB", balanced, collapsed, back)
	if collapsed > 6 || back < balanced-1 || back < 15 {
		t.Errorf("balanced %.1f dB, unbalanced %.1f dB, recovered %.1f dB", balanced, collapsed, back)
	}
}

// A bias that absorbs: a channel that is never below 3 begins at 0 afterwards.
func TestAbsorb(t *testing.T) {
	g := graph.New("absorb")
	x := g.Input("x", float32Type(1, 2, 2, 1))
	a := g.Apply("a", graph.Conv2D{Window: graph.Dense(1, graph.Same), Act: graph.ReLU}, x,
		graph.Const("aw", float32Type(2, 1, 1, 1), []float32{1, 1}), graph.Const("ab", float32Type(2), []float32{4, -1}))
	b := g.Apply("b", graph.Conv2D{Window: graph.Dense(1, graph.Same)}, a,
		graph.Const("bw", float32Type(1, 1, 1, 2), []float32{2, 5}), graph.Const("bb", float32Type(1), []float32{0.5}))
	g.Outputs, g.Level = []*graph.Value{b}, graph.Folded
	c := &conversion{ctx: context.Background(), g: g, samples: [][]float32{{-1, 0, 1, 2}}, peaks: [][]float32{{-1, 0, 1, 2}}, works: newWorks()}
	if err := c.absorb(); err != nil {
		t.Fatal(err)
	}
	if got := floats(a.Def.In[2]); got[0] != 1 || got[1] != -1 { // the channels' least values were 3 and 0
		t.Errorf("first bias %v, want [1 -1]", got)
	}
	if got := floats(b.Def.In[2]); got[0] != 6.5 { // 0.5 + 2 * 3
		t.Errorf("second bias %v, want 6.5", got)
	}
}

// scenes are n inputs that differ more than images do: a colour, and noise of any strength.
func scenes(c *model.Checkpoint, n int) iter.Seq[[]float32] {
	return func(yield func([]float32) bool) {
		rng := rand.New(rand.NewPCG(11, 12))
		x := make([]float32, c.Spec.Size*c.Spec.Size*3)
		for range n {
			noise, colour := 100*rng.Float64(), [3]float64{}
			for i := range colour {
				colour[i] = 255 * rng.Float64()
			}
			for i := range x {
				pixel := math.Round(min(max(colour[i%3]+noise*rng.NormFloat64(), 0), 255))
				x[i] = (float32(pixel) - c.Input.Mean) / c.Input.Std
			}
			if !yield(x) {
				return
			}
		}
	}
}

// Each recovery brings the int8 network nearer to the float one on samples it has not seen.
func TestRecoveryPays(t *testing.T) {
	c := checkpoint(nil)
	g := folded(t, c)
	all, _ := collect(context.Background(), g, scenes(c, 96))
	fit, held := all[:64], all[64:]
	want := outputs(t, g, each(held))
	db := func(r Recipe) float64 {
		res, err := Run(context.Background(), folded(t, c), r, each(fit), nil)
		if err != nil {
			t.Fatal(err)
		}
		return snr(want, outputs(t, res.Graph, each(held)))
	}
	before := db(plain)
	for name, r := range map[string]Recipe{
		"bias correction":          plain.with(func(r *Recipe) { r.CorrectBias = On }),
		"adaptive rounding":        plain.with(func(r *Recipe) { r.RoundWeights, r.CorrectBias = On, On }),
		"equalized by activations": plain.with(func(r *Recipe) { r.Equalize, r.CorrectBias = ByActivations, On }),
	} {
		after := db(r)
		t.Logf("%s: %.2f dB, plain %.2f dB", name, after, before)
		if after < before+0.5 {
			t.Errorf("%s: %.2f dB, plain %.2f dB", name, after, before)
		}
	}
}

func each(samples [][]float32) func(yield func([]float32) bool) {
	return func(yield func([]float32) bool) {
		for _, x := range samples {
			if !yield(x) {
				return
			}
		}
	}
}

// No single weight can be moved to its other neighbour for the better, and the error is no larger than nearest
// rounding's.
func TestSettle(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	const taps, scale = 7, 0.5
	for range 50 {
		rows := make([][taps]float64, 4)
		h := make([]float32, taps*taps)
		for i := range rows {
			for j := range taps {
				rows[i][j] = float64(rng.IntN(20))
			}
			for j := range taps {
				for k := range taps {
					h[j*taps+k] += float32(rows[i][j] * rows[i][k])
				}
			}
		}
		real, q := make([]float32, taps), make([]int8, taps)
		for j := range real {
			real[j] = float32(rng.NormFloat64() * 10)
			q[j] = int8(math.Round(float64(real[j]) / scale))
		}
		cost := func(q []int8) (sum float64) {
			for _, x := range rows {
				var y float64
				for j := range q {
					y += x[j] * (float64(q[j]) - float64(real[j])/scale)
				}
				sum += y * y
			}
			return sum
		}
		nearest := cost(q)
		errors, slope := make([]float32, taps), make([]float32, taps)
		for j := range q {
			errors[j] = float32(q[j]) - real[j]/scale
		}
		for j := range q {
			slope[j] = dot(h[j*taps:][:taps], errors)
		}
		settle(q, errors, slope, 127, h)
		settled := cost(q)
		if settled > nearest*(1+1e-5) {
			t.Fatalf("error %v, of nearest rounding %v", settled, nearest)
		}
		for j := range q {
			r := float64(q[j]) - float64(real[j])/scale
			if math.Abs(r) > 1 {
				t.Fatalf("weight %v became %v", real[j], float64(q[j])*scale)
			}
			d := int8(1)
			if r > 0 {
				d = -1
			}
			q[j] += d
			if cost(q) < settled*(1-1e-5)-1e-3 {
				t.Fatalf("moving weight %d lowers %v to %v", j, settled, cost(q))
			}
			q[j] -= d
		}
	}
}

// An open recipe is completed by trial; the completed recipe gives the same bytes, as does any number of processors.
func TestChoose(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	c := checkpoint(nil)
	var first []byte
	recipe := Recipe{}
	for _, procs := range []int{1, 3} {
		runtime.GOMAXPROCS(procs)
		for range 2 {
			res, err := Run(context.Background(), lower(t, c), recipe, scenes(c, 128), nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := tflite.Encode(res.Graph)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				checkTrials(t, res)
				first = b
			}
			if !bytes.Equal(b, first) {
				t.Errorf("%d processors, %+v: another file", procs, recipe)
			}
			recipe = res.Recipe
		}
		recipe = Recipe{}
	}
}

func checkTrials(t *testing.T, res *Result) {
	t.Helper()
	if res.Recipe.open() || len(res.Trials) < 5 {
		t.Errorf("%+v after %d trials", res.Recipe, len(res.Trials))
	}
	best := res.Trials[0]
	picked := 0
	for i, trial := range res.Trials {
		if slices.ContainsFunc(res.Trials[:i], func(t Trial) bool { return reflect.DeepEqual(t.Recipe, trial.Recipe) }) {
			t.Errorf("tried twice: %+v", trial.Recipe)
		}
		if trial.OutputSNR > best.OutputSNR {
			best = trial
		}
		if trial.Picked {
			picked++
			if !reflect.DeepEqual(trial.Recipe, res.Recipe) {
				t.Errorf("picked %+v, followed %+v", trial.Recipe, res.Recipe)
			}
		}
	}
	if picked != 1 || best.OutputSNR < res.Trials[0].OutputSNR+1 {
		t.Errorf("%d picked, best %+v", picked, best)
	}
}

// Where few samples are looked at, because there are few or because the network is large, which it is by its budget, the usual recipe is
// taken, which is tried once beside the plain one.
func TestChooseByFewSamples(t *testing.T) {
	c := checkpoint(nil)
	for _, budget := range []float64{0, 90 * work(folded(t, c))} {
		res, err := Run(context.Background(), lower(t, c), Recipe{Budget: budget, RoundWeights: Off}, scenes(c, 48), nil)
		if err != nil {
			t.Fatal(err)
		}
		r := res.Recipe
		if len(res.Trials) != 2 || !res.Trials[1].Picked || r.Observer != "mse" || r.Equalize != ByActivations || r.CorrectBias != On {
			t.Errorf("budget %v: %+v after %+v", budget, r, res.Trials)
		}
	}
}

// What the recipe says is not tried otherwise; with too few samples to hold any out, the plainest is done.
func TestChooseKeepsTo(t *testing.T) {
	c := checkpoint(nil)
	res, err := Run(context.Background(), lower(t, c), Recipe{Equalize: Off, RoundWeights: Off}, images(c, 48), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, trial := range res.Trials {
		if trial.Recipe.Equalize != Off || trial.Recipe.RoundWeights != Off {
			t.Errorf("tried %+v", trial.Recipe)
		}
	}
	if res := convertTo(t, c, Recipe{}); !reflect.DeepEqual(res.Recipe, plain.with(func(r *Recipe) { r.Scheme = Int8 })) || res.Trials != nil {
		t.Errorf("of 8 samples: %+v, %d trials", res.Recipe, len(res.Trials))
	}
}

// The layers' figures are those of the networks run by hand, and all of them can be written as JSON.
func TestLayerReports(t *testing.T) {
	c := checkpoint(nil)
	c.Weights["layers.3.bn1.weight"].Data[0] = 0 // a dead channel
	res := convertTo(t, c, plain.with(func(r *Recipe) { r.Observer = "percentile" }))
	if _, err := json.Marshal([]any{res.Layers, res.Calibration, res.Trials, res.Recipe}); err != nil {
		t.Error(err)
	}
	if n := len(c.Spec.Layers()); len(res.Layers) != n {
		t.Fatalf("%d reports of %d layers", len(res.Layers), n)
	}
	clipped := 0.0
	for _, l := range res.Layers {
		if l.Cosine < 0.9 || l.Cosine > 1 || l.ActivationSNR < 5 || l.ActivationSNR > 60 || l.Clipped < 0 || l.Clipped > 0.01 {
			t.Errorf("%+v", l)
		}
		clipped += l.Clipped
	}
	if clipped == 0 {
		t.Error("percentile clipped nothing")
	}
	last := res.Layers[len(res.Layers)-1]
	want := snr(outputs(t, lower(t, c), images(c, 8)), outputs(t, res.Graph, images(c, 8)))
	if math.Abs(last.ActivationSNR-want) > 2 { // the outputs were run in another rounding
		t.Errorf("the last layer at %.2f dB, the outputs at %.2f dB", last.ActivationSNR, want)
	}
	for _, d := range []struct{ signal, noise, want float64 }{{1, 0, MaxDB}, {0, 1, -MaxDB}, {0, 0, MaxDB}, {100, 1, 20}} {
		if got := decibels(d.signal, d.noise); got != d.want {
			t.Errorf("decibels(%v, %v) = %v, want %v", d.signal, d.noise, got, d.want)
		}
	}
}

// Samples that are all the same converge at once; one sample says nothing.
func TestConvergence(t *testing.T) {
	c := checkpoint(nil)
	one, _ := collect(context.Background(), folded(t, c), images(c, 1))
	same := make([][]float32, 40)
	for i := range same {
		same[i] = one[0]
	}
	run := func(samples [][]float32) *Calibration {
		res, err := Run(context.Background(), lower(t, c), plain, each(samples), nil)
		if err != nil {
			t.Fatal(err)
		}
		return res.Calibration
	}
	cal := run(same)
	var counts []int
	for _, m := range cal.Curve {
		counts = append(counts, m.Samples)
		if m.Mean != 0 || m.Worst != 0 {
			t.Errorf("%+v", m)
		}
	}
	if !cal.Enough || !slices.Equal(counts, []int{10, 20, 40}) {
		t.Errorf("%v %+v", counts, cal)
	}
	if cal := run(one); cal.Enough || len(cal.Curve) != 1 {
		t.Errorf("one sample: %+v", cal)
	}
	all, _ := collect(context.Background(), folded(t, c), images(c, 32))
	for i := range all[16:] { // the second half is ten times as large
		for j := range all[16+i] {
			all[16+i][j] *= 10
		}
	}
	if cal := run(all); cal.Enough || cal.Curve[2].Worst < 0.5 || cal.Curve[2].Layer == "" {
		t.Errorf("growing samples: %+v", cal)
	}
}

// The whole of the recovery, to the bit: sums and choices must be the same on every machine.
func TestRecoveryGolden(t *testing.T) {
	var b bytes.Buffer
	for _, r := range []Recipe{
		{Observer: "mse", Equalize: ByActivations, CorrectBias: On, RoundWeights: On},
		{Observer: "entropy", Equalize: ByWeights, CorrectBias: On, RoundWeights: On, PerTensor: true},
	} {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(string(text) + "\n" + convertTo(t, checkpoint(nil), r).Graph.String())
	}
	golden.Compare(t, "testdata/recovery.golden", b.String())
}
