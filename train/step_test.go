package train

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/mat"

	"mnet-edge/internal/allocator"
	"mnet-edge/model"
)

// tinySpec is the smallest net there is: 2 to 32 channels, 16x16 images.
func tinySpec(net model.Net) model.Spec {
	return model.Spec{Net: net, Width: 1.0 / 32, MidReLU: true, Padding: model.PadSame, Classes: 4, Size: 16}
}

func randomBatch(rng *rand.Rand, n int, spec model.Spec) (pixels []byte, labels []int32) {
	pixels, labels = make([]byte, n*spec.Size*spec.Size*3), make([]int32, n)
	for i := range pixels {
		pixels[i] = byte(rng.Uint32())
	}
	for i := range labels {
		labels[i] = int32(rng.IntN(spec.Classes))
	}
	return pixels, labels
}

var testInput = model.Input{Mean: 128, Std: 64}

func testTrainer(t testing.TB, be compute.Backend, spec model.Spec, r Recipe, evalBatch int) *trainer {
	t.Helper()
	tr, err := newTrainer(be, spec, testInput, r, 1, evalBatch, initialWeights(spec, 0.5, rand.New(rand.NewPCG(5, 5))), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.close)
	return tr
}

// results runs a graph over the batch, on weights that are its further inputs, and gives what build makes in it, which is float32.
func results(t *testing.T, tr *trainer, pixels []byte, labels []int32, weights []compute.Buffer, build func(g *Graph, pixels, labels *Node) []*Node) [][]float32 {
	t.Helper()
	wanted := 0
	p, err := tr.compile("results", len(labels), func(g *Graph, pixels, labels *Node) []*Node {
		all := build(g, pixels, labels)
		wanted = len(all)
		return append(all, ReduceAllSum(ConvertDType(pixels, dtypes.Float32)), labels) // every input has a use
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.graph.Finalize()
	inputs, err := tr.batch(p, pixels, labels)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.exec.Execute(append(inputs[0], weights...), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := make([][]float32, wanted)
	for i := range all {
		all[i] = fetched(t, out[i])
	}
	return all
}

// fetched are the numbers that a device has.
func fetched(t *testing.T, b compute.Buffer) []float32 {
	t.Helper()
	shape, err := b.Shape()
	if err != nil {
		t.Fatal(err)
	}
	data := make([]float32, shape.Size())
	if err := b.ToFlatData(data); err != nil {
		t.Fatal(err)
	}
	return data
}

// reals are numbers as near wants them.
func reals(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// normalized yields the images (N, size, size, 3) one by one, as a network with that input takes them.
func normalized(in model.Input, pixels []byte, size int) iter.Seq[[]float32] {
	return func(yield func([]float32) bool) {
		for image := range slices.Chunk(pixels, size*size*3) {
			x := make([]float32, len(image))
			for i, v := range image {
				x[i] = (float32(v) - in.Mean) / in.Std
			}
			if !yield(x) {
				return
			}
		}
	}
}

// gradients returns the loss's gradients at weights w as the step computes them, in T, in PyTorch's layouts.
func gradients[T float32 | float64](t *testing.T, tr *trainer, w model.Weights, pixels []byte, labels []int32) map[string][]T {
	t.Helper()
	dtype := dtypes.FromGenericsType[T]()
	return differentiated[T](t, tr, w, pixels, labels, func(weights map[string]*Node, pixels, labels *Node) map[string]*Node {
		_, _, _, grads := tr.gradients(weights, pixels, labels, tr.goal(pixels, labels, dtype))
		return grads
	})
}

// differentiated runs a graph that makes gradients by the weights' names.
func differentiated[T float32 | float64](t *testing.T, tr *trainer, w model.Weights, pixels []byte, labels []int32,
	build func(weights map[string]*Node, pixels, labels *Node) map[string]*Node) map[string][]T {
	t.Helper()
	dtype := dtypes.FromGenericsType[T]()
	devices := max(1, tr.devices)
	p, err := tr.compileFor(devices, "gradients", len(labels), func(g *Graph, pixels, labels *Node) []*Node {
		grads := build(tr.parameters(g, dtype), pixels, labels)
		var out []*Node
		for _, p := range tr.params {
			if p.Trainable {
				out = append(out, grads[p.Name])
			}
		}
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := tr.batch(p, pixels, labels)
	if err != nil {
		t.Fatal(err)
	}
	var inputs []compute.Buffer
	for d := range devices {
		inputs = append(inputs, batch[d]...)
		for _, p := range tr.params {
			data := make([]T, p.Count())
			for i, v := range p.toDevice(w[p.Name].Data) {
				data[i] = T(v)
			}
			b, err := tr.backend.BufferFromFlatData(compute.DeviceNum(d), data, shapes.Make(dtype, p.shape...))
			if err != nil {
				t.Fatal(err)
			}
			inputs = append(inputs, b)
		}
	}
	out, err := p.exec.Execute(inputs, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	grads := map[string][]T{}
	for _, p := range tr.params {
		if p.Trainable {
			data := make([]T, p.Count())
			if err := out[len(grads)].ToFlatData(data); err != nil {
				t.Fatal(err)
			}
			grads[p.Name] = permute(data, p.Shape, backward)
		}
	}
	return grads
}

// sameGradients compares gradients by the weights' names: each differs by at most rel of its norm and floor together.
func sameGradients(t *testing.T, what string, got, want map[string][]float64, rel, floor float64) {
	t.Helper()
	for name, g := range want {
		if off := apart(got[name], g); !(off <= rel*(frobenius(g)+floor)) {
			t.Errorf("%s: gradient of %s differs by %.1e, its norm is %.1e", what, name, off, frobenius(g))
		}
	}
}

// apart is the norm of the difference of two vectors.
func apart(a, b []float64) float64 {
	d := make([]float64, len(b))
	for i, v := range b {
		d[i] = a[i] - v
	}
	return frobenius(d)
}

// Two steps of each recipe against its rules written out. PyTorch's SGD: d = g + decay*w, m' = mu*m + d, w' = w - lr*(m' or
// d + mu*m'); Muon for matrices: m' = mu*m + g, w' = w*sqrt(O)/|w| - lr*muon*orthogonal(g + mu*m').
func TestStepIsTheRecipe(t *testing.T) {
	for _, name := range []string{PresetSeed, PresetFast} {
		r, err := Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		r.Batch = 4
		spec, rate := tinySpec(model.NetD), 0.05
		tr := testTrainer(t, goBackend(t), spec, r, 4)
		rng := rand.New(rand.NewPCG(6, 6))
		momenta := map[string][]float64{}
		for range 2 {
			pixels, labels := randomBatch(rng, 4, spec)
			before, _, err := tr.download()
			if err != nil {
				t.Fatal(err)
			}
			grads := gradients[float32](t, tr, before, pixels, labels)
			if _, _, err := tr.Step(pixels, labels, rate); err != nil {
				t.Fatal(err)
			}
			after, stored, err := tr.download()
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range tr.params {
				g, ok := grads[p.Name]
				if !ok {
					continue
				}
				w := before[p.Name].Data
				muon := name == PresetFast && len(p.Shape) == 4 && p.Shape[1] > 3
				decay := r.WeightDecay
				if muon || name == PresetFast && len(p.Shape) == 1 {
					decay = 0
				}
				if momenta[p.Name] == nil {
					momenta[p.Name] = make([]float64, len(g))
				}
				direction, want, scale, rate := make([]float64, len(g)), make([]float64, len(g)), 1., rate
				for i, m := range momenta[p.Name] {
					d := float64(g[i]) + decay*float64(w[i])
					m = 0.9*m + d
					momenta[p.Name][i] = m
					if direction[i] = m; name == PresetFast {
						direction[i] = d + 0.9*m
					}
				}
				if muon {
					rows := p.Shape[0]
					direction, rate = polynomials(direction, rows), rate*r.Muon
					scale = math.Sqrt(float64(rows)) / frobenius(w)
				}
				for i := range want {
					want[i] = scale*float64(w[i]) - rate*direction[i]
				}
				near(t, name+": momentum of "+p.Name, stored[p.Name].Data, momenta[p.Name], 1e-6, 1e-5)
				near(t, name+": "+p.Name, after[p.Name].Data, want, 1e-6, 2e-5)
			}
		}
	}
}

func frobenius[T float32 | float64](x []T) float64 {
	sum := 0.
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

// polynomials is orthogonal's iteration on the matrix x of that many rows, through its singular values: x = U S V' becomes U p(S) V'.
func polynomials(x []float64, rows int) []float64 {
	var svd mat.SVD
	svd.Factorize(mat.NewDense(rows, len(x)/rows, slices.Clone(x)), mat.SVDThin)
	s := svd.Values(nil)
	length := frobenius(s)
	for i := range s {
		s[i] /= length
		for range muonSteps {
			s[i] = 3.4445*s[i] - 4.775*math.Pow(s[i], 3) + 2.0315*math.Pow(s[i], 5)
		}
	}
	var u, v, us, y mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	us.Mul(&u, mat.NewDiagDense(len(s), s))
	y.Mul(&us, v.T())
	return y.RawMatrix().Data
}

// The two backends compute the same gradients from the same graph. In float64, so that what is compared is the two lowerings
// and not rounding: in float32 an activation within rounding of zero may pass a ReLU on one backend and not on the other, and one
// such flip moves a BN gradient by 1e-2 of its norm. 1e-8 of the norm holds even for the gammas in front of a depthwise
// convolution, whose gradients the next BN makes nearly zero.
func TestBackendsAgree(t *testing.T) {
	xla := xlaDevices(t, 0)
	r, err := Preset(PresetFast)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		net     model.Net
		padding model.Padding
	}{{model.NetD, model.PadSame}, {model.NetC, model.PadSymmetric}, {model.NetC, model.PadSame}, {model.NetP, model.PadSame}} {
		spec := tinySpec(c.net)
		spec.Padding, spec.Width = c.padding, 1.0/16
		pixels, labels := randomBatch(rand.New(rand.NewPCG(8, 8)), 8, spec)
		w := initialWeights(spec, 0.5, rand.New(rand.NewPCG(5, 5)))
		on := func(be compute.Backend) map[string][]float64 {
			tr := &trainer{backend: be, spec: spec, input: testInput, recipe: r, params: deviceParams(spec)}
			return gradients[float64](t, tr, w, pixels, labels)
		}
		want, got := on(goBackend(t)), on(xla)
		sameGradients(t, spec.Name(), got, want, 1e-8, 0)
	}
}

// The backward pass that is written out computes what differentiating the forward pass gives, to float64's precision, for every
// weight. On the Go backend, whose graphs need no compiler; TestBackendsAgree carries the result over to XLA. The gammas in front of
// a depthwise convolution have gradients that the next BN makes nearly zero, hence a bound that is not of their own norm alone.
func TestGradientsAreDerivatives(t *testing.T) {
	same := tinySpec(model.NetD)
	symmetric, noMid := same, same
	symmetric.Padding, noMid.MidReLU, noMid.Width = model.PadSymmetric, false, 1.0/16
	plain, plainSymmetric, pooled := tinySpec(model.NetC), tinySpec(model.NetC), tinySpec(model.NetP)
	plainSymmetric.Padding, plainSymmetric.Width, pooled.Width = model.PadSymmetric, 1.0/8, 1.0/8 // so that some layers are by columns, some not
	be := goBackend(t)
	for _, c := range []struct {
		spec      model.Spec
		batch     int
		smoothing float64
	}{{same, 4, 0.1}, {symmetric, 3, 0}, {noMid, 2, 0.1}, {plain, 2, 0}, {plainSymmetric, 2, 0}, {pooled, 3, 0}} {
		tr := &trainer{backend: be, spec: c.spec, input: testInput, recipe: Recipe{LabelSmoothing: c.smoothing}, params: deviceParams(c.spec)}
		pixels, labels := randomBatch(rand.New(rand.NewPCG(8, 8)), c.batch, c.spec)
		w := initialWeights(c.spec, 0.5, rand.New(rand.NewPCG(5, 5)))
		rng := rand.New(rand.NewPCG(3, 3))
		for _, p := range c.spec.Params() { // BN's scales and shifts away from 1 and 0, where a wrong one would not show
			if len(p.Shape) == 1 {
				for i := range w[p.Name].Data {
					w[p.Name].Data[i] += float32(0.3 * rng.NormFloat64())
				}
			}
		}
		got := gradients[float64](t, tr, w, pixels, labels)
		want := differentiated[float64](t, tr, w, pixels, labels, func(weights map[string]*Node, pixels, labels *Node) map[string]*Node {
			_, loss, _ := tr.forward(weights, pixels, labels, tr.goal(pixels, labels, dtypes.Float64))
			return tr.differentiate(loss, weights)
		})
		sameGradients(t, fmt.Sprintf("%s, batch %d", c.spec.Name(), c.batch), got, want, 1e-9, 1e-3)
	}
}

// On XLA, whose sums over pixels and convolutions are shared among threads, a step gives the same bits every time.
func TestStepRepeats(t *testing.T) {
	xla := xlaDevices(t, 0)
	for net, preset := range map[model.Net]string{model.NetD: PresetFast, model.NetC: PresetSeed, model.NetP: PresetSeed} { // the one with Muon, too
		r, err := Preset(preset)
		if err != nil {
			t.Fatal(err)
		}
		r.Batch = 64
		spec := model.DefaultSpec(net)
		spec.Width = 0.125
		t.Run(spec.Name(), func(t *testing.T) { testStepRepeats(t, xla, spec, r) })
	}
}

func testStepRepeats(t *testing.T, xla compute.Backend, spec model.Spec, r Recipe) {
	w := initialWeights(spec, 0.5, rand.New(rand.NewPCG(5, 5)))
	pixels, labels := randomBatch(rand.New(rand.NewPCG(8, 8)), r.Batch, spec)
	tr := testTrainer(t, xla, spec, r, 2)
	var first [2]model.Weights
	for range 4 {
		for _, b := range tr.state[0] {
			b.Finalize()
		}
		if err := tr.upload(w, nil); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, _, err := tr.Step(pixels, labels, 0.1); err != nil {
				t.Fatal(err)
			}
		}
		weights, momenta, err := tr.download()
		if err != nil {
			t.Fatal(err)
		}
		if first[0] == nil {
			first = [2]model.Weights{weights, momenta}
		}
		if !reflect.DeepEqual([2]model.Weights{weights, momenta}, first) {
			t.Fatal("the same three steps gave other weights")
		}
	}
}

// Of an image and its mirror image together, it is the same which came first, and the loss is that of the averaged logits.
func TestEvalWithFlip(t *testing.T) {
	r, err := Preset(PresetFast)
	if err != nil {
		t.Fatal(err)
	}
	spec := tinySpec(model.NetD)
	r.Batch = 2
	tr := testTrainer(t, goBackend(t), spec, r, 5)
	pixels, labels := randomBatch(rand.New(rand.NewPCG(9, 9)), 5, spec)
	mirrored := make([]byte, 0, len(pixels))
	for row := range slices.Chunk(pixels, 3*spec.Size) {
		for x := spec.Size - 1; x >= 0; x-- {
			mirrored = append(mirrored, row[3*x:3*x+3]...)
		}
	}
	plain, _, _, err := tr.Eval(pixels, labels)
	if err != nil {
		t.Fatal(err)
	}
	if tr.eval, err = tr.compile("both", 5, tr.buildEvalWithFlip); err != nil {
		t.Fatal(err)
	}
	a, right, predicted, err := tr.Eval(pixels, labels)
	if err != nil {
		t.Fatal(err)
	}
	b, rightB, predictedB, err := tr.Eval(mirrored, labels)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(a-b) > 1e-5 || right != rightB || !slices.Equal(predicted, predictedB) {
		t.Errorf("loss %v, %d right, of the images; %v, %d of their mirror images", a, right, b, rightB)
	}
	if a == plain {
		t.Errorf("loss %v with and without the mirror images", a)
	}
}

// A batch that is not full counts only its own images.
func TestEvalPartialBatch(t *testing.T) {
	r, err := Preset(PresetFast)
	if err != nil {
		t.Fatal(err)
	}
	spec := tinySpec(model.NetC)
	r.Batch = 2
	tr := testTrainer(t, goBackend(t), spec, r, 5)
	pixels, labels := randomBatch(rand.New(rand.NewPCG(9, 9)), 5, spec)
	image := len(pixels) / 5
	whole, right, predicted, err := tr.Eval(pixels, labels)
	if err != nil {
		t.Fatal(err)
	}
	var loss float64
	var correct int
	for _, part := range [][2]int{{0, 3}, {3, 5}} {
		l, c, _, err := tr.Eval(pixels[part[0]*image:part[1]*image], labels[part[0]:part[1]])
		if err != nil {
			t.Fatal(err)
		}
		loss, correct = loss+l, correct+c
	}
	hits := 0
	for i, p := range predicted {
		if p == labels[i] {
			hits++
		}
	}
	if hits != right || len(predicted) != len(labels) {
		t.Errorf("%d predictions, %d of them right; %d images, %d right", len(predicted), hits, len(labels), right)
	}
	if math.Abs(loss-whole) > 1e-5*whole || correct != right {
		t.Errorf("in parts: loss %v, %d right; whole: loss %v, %d right", loss, correct, whole, right)
	}
}

func TestStepRefusesWrongBatch(t *testing.T) {
	r, err := Preset(PresetFast)
	if err != nil {
		t.Fatal(err)
	}
	r.Batch = 2
	spec := tinySpec(model.NetD)
	tr := testTrainer(t, goBackend(t), spec, r, 2)
	pixels, labels := randomBatch(rand.New(rand.NewPCG(1, 1)), 3, spec)
	if _, _, err := tr.Step(pixels, labels, 0.1); err == nil || !strings.Contains(err.Error(), "takes 2 images") {
		t.Errorf("3 images for a step of 2: error %v", err)
	}
	if _, _, err := tr.Step(pixels[:100], labels[:2], 0.1); err == nil {
		t.Error("100 bytes of pixels pass")
	}
}

// A panic while a graph is built comes back as an error.
func TestCompileRecovers(t *testing.T) {
	tr := &trainer{backend: goBackend(t), spec: tinySpec(model.NetD)}
	_, err := tr.compile("wrong", 2, func(g *Graph, pixels, labels *Node) []*Node { return []*Node{Add(pixels, labels)} })
	if err == nil || !strings.Contains(err.Error(), errInternal.Error()) {
		t.Errorf("adding images to labels: error %v", err)
	}
}

// Weights come back from the device as they went there, and lie there as net.go says.
func TestLayout(t *testing.T) {
	for _, net := range []model.Net{model.NetC, model.NetD} {
		spec := tinySpec(net)
		w := initialWeights(spec, 0.5, rand.New(rand.NewPCG(7, 7)))
		for _, p := range deviceParams(spec) {
			if back := p.toModel(p.toDevice(w[p.Name].Data)); !reflect.DeepEqual(back, w[p.Name].Data) {
				t.Errorf("%s changes on the way to the device and back", p.Name)
			}
		}
	}
	find := func(net model.Net, name string) param {
		for _, p := range deviceParams(tinySpec(net)) {
			if p.Name == name {
				return p
			}
		}
		t.Fatalf("no parameter %s", name)
		return param{}
	}
	for _, c := range []struct {
		p           param
		at          []int // an index in PyTorch's layout
		row, column int   // where it belongs on the device
	}{
		{find(model.NetD, "conv1.weight"), []int{5, 2, 1, 0}, 3*3 + 2, 5},          // (o, i, dy, dx): tap 3, channel 2
		{find(model.NetD, "layers.0.conv1.weight"), []int{31, 0, 2, 1}, 7, 31},     // depthwise: tap 7
		{find(model.NetD, "layers.0.conv2.weight"), []int{1, 30, 0, 0}, 30, 1},     // pointwise
		{find(model.NetC, "layers.5.conv1.weight"), []int{9, 3, 0, 2}, 2*8 + 3, 9}, // dense: tap 2 of 8 channels
		{find(model.NetC, "linear.weight"), []int{3, 17}, 17, 3},                   // linear
		{find(model.NetC, "layers.5.bn1.running_var"), []int{4}, 0, 4},             // a vector
	} {
		from := 0
		for i, x := range c.at {
			from = from*c.p.Shape[i] + x
		}
		data := make([]float32, c.p.Count())
		data[from] = 1
		if got := c.p.toDevice(data); got[c.row*c.p.shape[len(c.p.shape)-1]+c.column] != 1 {
			t.Errorf("%s: %v does not go to row %d, column %d of %v", c.p.Name, c.at, c.row, c.column, c.p.shape)
		}
	}
}

// The plugin, which is loaded while the program runs, takes the memory of its steps from our allocator, and takes no more with more of them.
func TestStepsKeepMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("nothing is kept here")
	}
	xla := xlaDevices(t, 0)
	r, err := Preset(PresetFast)
	if err != nil {
		t.Fatal(err)
	}
	r.Batch = 64
	spec := model.DefaultSpec(model.NetD)
	spec.Width = 0.0625
	pixels, labels := randomBatch(rand.New(rand.NewPCG(8, 8)), r.Batch, spec)
	tr := testTrainer(t, xla, spec, r, 2)
	steps := func(n int) uint64 {
		for range n {
			if _, _, err := tr.Step(pixels, labels, 0.1); err != nil {
				t.Fatal(err)
			}
		}
		return allocator.Held()
	}
	// A step may begin before all of the memory of the one before is freed, so there may be twice of everything, and is sooner or later.
	if few := steps(30); few == 0 {
		t.Error("none of a step's memory is from our allocator")
	} else if many := steps(60); many > 2*few {
		t.Errorf("%d bytes after 30 steps, %d after 90", few, many)
	}
}

// BenchmarkStep measures the training step of net D, batch 64, on XLA where it is there.
func BenchmarkStep(b *testing.B) {
	for _, w := range []float64{0.25, 1} {
		b.Run(fmt.Sprintf("w=%g", w), func(b *testing.B) {
			spec := model.DefaultSpec(model.NetD)
			spec.Width = w
			step, err := NewStepBench(Config{Spec: spec, Batch: 64}, false)
			if err != nil {
				b.Fatal(err)
			}
			defer step.Close()
			for b.Loop() {
				if _, err := step.Run(1); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*64)/b.Elapsed().Seconds(), "images/s")
		})
	}
}

// The identity in the initial weights: a depthwise filter's middle tap, a pointwise or dense weight's input of the same number, at a dense one's
// middle tap; nothing else moves, and with none of it the draw stays as it was.
func TestInitialIdentity(t *testing.T) {
	for _, net := range model.Nets {
		t.Run(string(net), func(t *testing.T) { testInitialIdentity(t, tinySpec(net)) })
	}
}

func testInitialIdentity(t *testing.T, spec model.Spec) {
	draw := func(identity float64) model.Weights {
		return initialWeights(spec, identity, rand.New(rand.NewPCG(3, 3)))
	}
	plain, mixed := draw(0), draw(0.25)
	for _, p := range deviceParams(spec) {
		a, b := plain[p.Name].Data, mixed[p.Name].Data
		for i := range a {
			want := a[i]
			switch {
			case len(p.Shape) == 4 && p.Shape[1] == 1: // (C, 1, 3, 3)
				want *= 0.75
				if i%9 == 4 {
					want += 0.25
				}
			case len(p.Shape) == 4 && p.Shape[2] == 1: // (O, I, 1, 1)
				if o, in := i/p.Shape[1], i%p.Shape[1]; in == o%p.Shape[1] {
					want += 0.25
				}
			case len(p.Shape) == 4 && p.Shape[1] > 3: // (O, I, 3, 3)
				if tap, in, o := i%9, i/9%p.Shape[1], i/9/p.Shape[1]; tap == 4 && in == o%p.Shape[1] {
					want += 0.25
				}
			}
			if math.Abs(float64(b[i]-want)) > 1e-6 {
				t.Fatalf("%s[%d]: %v, want %v from %v", p.Name, i, b[i], want, a[i])
			}
		}
	}
}
