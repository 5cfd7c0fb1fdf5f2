package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mnet-edge/model"
)

func goBackend(t testing.TB) compute.Backend {
	t.Helper()
	be, err := openGo()
	if err != nil {
		t.Fatal(err)
	}
	return be
}

// evaluate runs a graph function on the Go backend and returns its outputs' values.
func evaluate(t *testing.T, f func(in []*Node) []*Node, inputs ...*tensors.Tensor) [][]float32 {
	t.Helper()
	args := make([]any, len(inputs))
	for i, in := range inputs {
		args[i] = in
	}
	out, err := MustNewExec(goBackend(t), f).Call(args...)
	if err != nil {
		t.Fatal(err)
	}
	values := make([][]float32, len(out))
	for i, o := range out {
		values[i] = tensors.MustCopyFlatData[float32](o)
	}
	return values
}

func randoms(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// near reports the first pair further apart than abs + rel*|want|.
func near(t *testing.T, what string, got []float32, want []float64, abs, rel float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		if !(math.Abs(float64(got[i])-w) <= abs+rel*math.Abs(w)) {
			t.Fatalf("%s[%d] = %v, want %v", what, i, got[i], w)
		}
	}
}

// window is a naive 3x3 convolution's geometry: the input pixel under weight (d) at output o, in the words of TFLite's and
// PyTorch's documentation. SAME: out = ceil(in/stride), the total padding is what the last window lacks, its smaller half before.
func window(p model.Padding, in, stride int) (out, before int) {
	if p == model.PadSymmetric {
		return (in+2-3)/stride + 1, 1
	}
	out = (in + stride - 1) / stride
	return out, max((out-1)*stride+3-in, 0) / 2
}

// The depthwise and the dense lowering equal six nested loops, forward and backward, within float32 rounding.
func TestConvolutions(t *testing.T) {
	const n, c, o = 2, 3, 4
	rng := rand.New(rand.NewPCG(1, 1))
	for _, p := range []model.Padding{model.PadSame, model.PadSymmetric} {
		for _, stride := range []int{1, 2} {
			for _, size := range []int{1, 2, 4, 6} {
				if stride == 2 && size == 1 {
					continue // no Spec has it
				}
				out, before := window(p, size, stride)
				l := model.Layer{Kernel: 3, Stride: stride, In: c, Out: o, InSize: size, OutSize: out}
				x, wd, wf := randoms(rng, n*size*size*c), randoms(rng, 9*c), randoms(rng, 9*c*o)
				vd, vf := randoms(rng, n*out*out*c), randoms(rng, n*out*out*o) // weights of the outputs in the scalar that is differentiated

				yd, yf := make([]float64, len(vd)), make([]float64, len(vf))
				gd, gf := make([]float64, len(wd)), make([]float64, len(wf))
				gx := make([]float64, len(x))
				for b := range n {
					for oy := range out {
						for ox := range out {
							for k := range 9 {
								iy, ix := oy*stride+k/3-before, ox*stride+k%3-before
								if iy < 0 || iy >= size || ix < 0 || ix >= size {
									continue
								}
								for i := range c {
									xi, at := ((b*size+iy)*size+ix)*c+i, (b*out+oy)*out+ox
									yd[at*c+i] += float64(x[xi]) * float64(wd[k*c+i])
									gd[k*c+i] += float64(x[xi]) * float64(vd[at*c+i])
									gx[xi] += float64(wd[k*c+i]) * float64(vd[at*c+i])
									for j := range o {
										w := (k*c+i)*o + j
										yf[at*o+j] += float64(x[xi]) * float64(wf[w])
										gf[w] += float64(x[xi]) * float64(vf[at*o+j])
										gx[xi] += float64(wf[w]) * float64(vf[at*o+j])
									}
								}
							}
						}
					}
				}

				got := evaluate(t, func(in []*Node) []*Node {
					x, wd, wf, vd, vf := in[0], in[1], in[2], in[3], in[4]
					yd := weighted(taps(x, p, l), wd)
					yf := rowsTimes(Concatenate(taps(x, p, l), 3), wf)
					sum := Add(ReduceAllSum(Mul(yd, vd)), ReduceAllSum(Mul(yf, vf)))
					written := func(largest int) *Node { return denseWeightGradient(layerPass{Layer: l, read: x}, vf, p, largest) }
					return append(append([]*Node{yd, yf}, Gradient(sum, x, wd, wf)...), dense(x, wf, p, l), written(n*out*out*o), written(1))
				}, tensors.FromFlatDataAndDimensions(x, n, size, size, c), tensors.FromFlatDataAndDimensions(wd, 9, c),
					tensors.FromFlatDataAndDimensions(wf, 9*c, o), tensors.FromFlatDataAndDimensions(vd, n, out, out, c),
					tensors.FromFlatDataAndDimensions(vf, n, out, out, o))
				name := fmt.Sprintf("padding %s, stride %d, size %d: ", p, stride, size)
				for i, want := range []struct {
					what   string
					values []float64
				}{{"depthwise", yd}, {"dense", yf}, {"d/dx", gx}, {"d/d depthwise weight", gd}, {"d/d dense weight", gf},
					{"dense, not by columns", yf}, {"d/d dense weight, written out", gf}, {"d/d dense weight, image by image", gf}} {
					near(t, name+want.what, got[i], want.values, 1e-4, 1e-5)
				}
			}
		}
	}
}

// The greatest of each window goes on, and its gradient to all that are as great.
func TestPooled(t *testing.T) {
	const n, size, c, k = 2, 6, 3, 2
	rng := rand.New(rand.NewPCG(4, 4))
	x, v := make([]float32, n*size*size*c), randoms(rng, n*size/k*size/k*c)
	for i := range x {
		x[i] = float32(rng.IntN(4)) // so that most windows have equals
	}
	want, gradient := make([]float64, len(v)), make([]float64, len(x))
	for i := range want {
		channel, at := i%c, i/c
		column, row, image := at%(size/k), at/(size/k)%(size/k), at/(size/k)/(size/k)
		var members []int
		for part := range k * k {
			members = append(members, ((image*size+row*k+part/k)*size+column*k+part%k)*c+channel)
		}
		want[i] = math.Inf(-1)
		count := 0.0
		for _, m := range members {
			switch g := float64(x[m]); {
			case g > want[i]:
				want[i], count = g, 1
			case g == want[i]:
				count++
			}
		}
		for _, m := range members {
			if float64(x[m]) == want[i] {
				gradient[m] = float64(v[i]) / count
			}
		}
	}
	l := layerPass{Layer: model.Layer{Pool: k}}
	got := evaluate(t, func(in []*Node) []*Node {
		l := l
		l.x, l.scale, l.shift = in[0], in[2], in[3]
		return []*Node{maxPooled(in[0], l.Layer), maxPooledGradient(l, in[1])}
	}, tensors.FromFlatDataAndDimensions(x, n, size, size, c), tensors.FromFlatDataAndDimensions(v, n, size/k, size/k, c),
		tensors.FromValue([]float32{1, 1, 1}), tensors.FromValue([]float32{0, 0, 0}))
	near(t, "pooled", got[0], want, 0, 0)
	near(t, "gradient", got[1], gradient, 1e-6, 1e-7)
}

// Every layer of every spec gets windows that fit: the sizes of Spec are those of the padding used.
func TestPaddingMatchesSpec(t *testing.T) {
	for _, p := range []model.Padding{model.PadSame, model.PadSymmetric} {
		for _, size := range []int{16, 32, 96} {
			spec := model.DefaultSpec(model.NetC)
			spec.Padding, spec.Size = p, size
			for _, l := range spec.Layers() {
				if l.Kernel != 3 {
					continue
				}
				out, before := window(p, l.InSize, l.Stride)
				if got, after := padding(p, l); out != l.OutSize || got != before || after < 0 || after > 1 {
					t.Errorf("%s of size %d, padding %s: %d before, %d after, output %d; want %d before, output %d", l.Name, size, p, got, after, l.OutSize, before, out)
				}
			}
		}
	}
}

// Batch normalization and its running statistics, against the definition in float64.
func TestNormalize(t *testing.T) {
	const n, size, c = 2, 3, 2
	const count = n * size * size
	rng := rand.New(rand.NewPCG(2, 2))
	x, gamma, beta, oldMean, oldVar := randoms(rng, count*c), randoms(rng, c), randoms(rng, c), randoms(rng, c), []float32{0.5, 2}
	for i := range x {
		x[i] = 3 + 2*x[i]
	}
	var trained, frozen = make([]float64, len(x)), make([]float64, len(x))
	newMean, newVar := make([]float64, c), make([]float64, c)
	for ch := range c {
		var mean, variance float64
		for i := ch; i < len(x); i += c {
			mean += float64(x[i]) / count
		}
		for i := ch; i < len(x); i += c {
			variance += (float64(x[i]) - mean) * (float64(x[i]) - mean) / count
		}
		for i := ch; i < len(x); i += c {
			trained[i] = (float64(x[i])-mean)/math.Sqrt(variance+1e-5)*float64(gamma[ch]) + float64(beta[ch])
			frozen[i] = (float64(x[i])-float64(oldMean[ch]))/math.Sqrt(float64(oldVar[ch])+1e-5)*float64(gamma[ch]) + float64(beta[ch])
		}
		newMean[ch] = 0.9*float64(oldMean[ch]) + 0.1*mean
		newVar[ch] = 0.9*float64(oldVar[ch]) + 0.1*variance*count/(count-1)
	}
	got := evaluate(t, func(in []*Node) []*Node {
		w := map[string]*Node{"bn.weight": in[1], "bn.bias": in[2], "bn.running_mean": in[3], "bn.running_var": in[4]}
		training := &net{weights: w, train: true, batch: map[string]moments{}}
		y := training.normalize(in[0], "bn")
		mean, variance := training.running("bn")
		return []*Node{y, mean, variance, (&net{weights: w}).normalize(in[0], "bn")}
	}, tensors.FromFlatDataAndDimensions(x, n, size, size, c), tensors.FromValue(gamma), tensors.FromValue(beta), tensors.FromValue(oldMean), tensors.FromValue(oldVar))
	near(t, "training", got[0], trained, 1e-5, 1e-5)
	near(t, "running mean", got[1], newMean, 1e-6, 1e-6)
	near(t, "running variance", got[2], newVar, 1e-5, 1e-5)
	near(t, "evaluation", got[3], frozen, 1e-5, 1e-5)
}

// The loss against its definition in float64, for plain and smoothed targets; the hits.
func TestCrossEntropy(t *testing.T) {
	logits := [][]float32{{1, 2, 3}, {100, -100, 0}, {-5, 7, 7.5}, {0, 0, 9}}
	labels := []int32{2, 0, 1, -1}
	for _, smoothing := range []float64{0, 0.1} {
		var want []float64
		for i, row := range logits {
			sum, loss := 0.0, 0.0
			for _, v := range row {
				sum += math.Exp(float64(v) - 100)
			}
			for k, v := range row {
				target := smoothing / 3
				if int32(k) == labels[i] {
					target += 1 - smoothing
				}
				loss += target * (100 + math.Log(sum) - float64(v))
			}
			want = append(want, loss)
		}
		got := evaluate(t, func(in []*Node) []*Node {
			return []*Node{crossEntropy(in[0], targets(in[1], 3, smoothing, in[0].DType())), ConvertDType(hits(in[0], in[1]), in[0].DType())}
		}, tensors.FromValue(logits), tensors.FromValue(labels))
		near(t, fmt.Sprintf("smoothing %v", smoothing), got[0][:3], want[:3], 1e-5, 1e-6)
		if !finite(float64(got[0][3])) {
			t.Errorf("filler row's loss is %v", got[0][3])
		}
		near(t, "hits", got[1], []float64{2}, 0, 0)
	}
}
