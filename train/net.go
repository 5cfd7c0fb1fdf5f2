package train

import (
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph" //lint:ignore ST1001 the net reads as its equations

	"mnet-edge/model"
)

// The graph's tensors are (N, H, W, C): images, rows, columns, channels. Weights on the device are
//
//	dense 3x3    (9*I, O)  rows in the order of the taps: (dy, dx, I)
//	pointwise    (I, O)
//	depthwise    (9, C)    rows in the order of the taps
//	linear       (I, O)
//
// so that every weight is used as it lies in memory; see layout.go for the way from and to PyTorch's layouts.
//
// Functions here build graph nodes. They report errors by panicking, as the builder they call does; compile recovers.

// net is one graph's view of a network: the weights' nodes by name, and how batch normalization gets its statistics.
type net struct {
	spec    model.Spec
	input   model.Input
	weights map[string]*Node
	batch   map[string]moments // filled by a training pass: the statistics of this batch, by BN's name
	train   bool
	devices int // that share the batch; 0: one
}

// moments are a batch's per-channel mean and biased variance, (C) each, over count values a channel.
type moments struct {
	mean, variance *Node
	count          int
}

// logits computes the network's outputs (N, Classes) for pixels (N, H, W, 3), uint8.
func (n *net) logits(pixels *Node) *Node {
	x := n.pixels(pixels)
	for _, l := range n.spec.Layers() {
		w := n.weights[l.Name+".weight"]
		if l.Kind == model.Linear {
			return Add(Dot(ReduceMean(x, 1, 2), w).Product(), ExpandAxes(n.weights[l.Name+".bias"], 0))
		}
		x = n.normalize(n.convolve(x, w, l), l.BN)
		if l.ReLU {
			x = MaxScalar(x, 0)
		}
		x = maxPooled(x, l)
	}
	return x
}

// convolve is the convolution of layer l on x (N, H, W, I) with the weight w, which is as net.weights has it.
func (n *net) convolve(x, w *Node, l model.Layer) *Node {
	switch {
	case l.Kind == model.Depthwise:
		return weighted(n.taps(x, l), w)
	case l.Kernel == 1:
		return rowsTimes(x, w)
	}
	if n.train || byColumns(l) {
		return rowsTimes(Concatenate(n.taps(x, l), 3), w)
	}
	return dense(x, w, n.spec.Padding, l)
}

// byColumns says whether a dense 3x3 layer is quicker as a product with its windows' pixels, stored side by side, than as XLA's own convolution,
// which on a CPU is three times as quick on large images, no good for the stem's three channels, and a hundred times as slow on 2x2 pixels of 1024
// channels (docs/decisions/0004-training-step.md).
func byColumns(l model.Layer) bool { return l.In < 8 || l.OutSize < 8 }

// taps is the function of that name, from an image that is stored with its zeros where nothing will be differentiated: see pass.
func (n *net) taps(x *Node, l model.Layer) []*Node {
	if n.train {
		return taps(x, n.spec.Padding, l)
	}
	return windows(keep(padded(x, n.spec.Padding, l)), l.OutSize, l.Stride)
}

// pixels normalizes the pixels (N, H, W, 3), uint8 or averages of them, to the weights' type, and enlarges the images as the spec says.
func (n *net) pixels(pixels *Node) *Node { return n.normalized(n.enlarged(pixels)) }

// wholePixels is pixels as int8 has them: each pixel value has an integer of its own, and what an enlarged image has between two goes to
// the nearest, of two the larger.
func (n *net) wholePixels(pixels *Node) *Node {
	x := n.enlarged(pixels)
	if n.spec.Enlarge > 1 {
		x = Floor(AddScalar(x, 0.5))
	}
	return n.normalized(x)
}

func (n *net) normalized(x *Node) *Node {
	return MulScalar(AddScalar(x, -float64(n.input.Mean)), 1/float64(n.input.Std))
}

func (n *net) enlarged(pixels *Node) *Node {
	x := ConvertDType(pixels, n.weights["conv1.weight"].DType())
	for axis := 1; axis <= 2 && n.spec.Enlarge > 1; axis++ {
		x = enlarged(x, axis, n.spec.Enlarge)
	}
	return x
}

// enlarged puts k values in the place of each along an axis, bilinearly: value j of them lies (j+0.5)/k - 0.5 from the middle of
// the old one, as TFLite's RESIZE_BILINEAR with half_pixel_centers has it. Beyond the edges the last value goes on.
func enlarged(x *Node, axis, k int) *Node {
	d := x.Shape().Dimensions
	part := func(from, to int) *Node {
		along := make([]SliceAxisSpec, len(d))
		for i := range along {
			along[i] = AxisRange()
		}
		along[axis] = AxisRange(from, to)
		return Slice(x, along...)
	}
	n := d[axis]
	before, after := Concatenate([]*Node{part(0, 1), part(0, n-1)}, axis), Concatenate([]*Node{part(1, n), part(n-1, n)}, axis)
	var values []*Node
	for j := range k {
		at, other := (float64(j)+0.5)/float64(k)-0.5, after
		if at < 0 {
			at, other = -at, before
		}
		values = append(values, Add(MulScalar(x, 1-at), MulScalar(other, at)))
	}
	shape := slices.Clone(d)
	shape[axis] *= k
	return Reshape(Stack(values, axis+1), shape...)
}

// rowsTimes multiplies each pixel's channels (N, H, W, I) by w (I, O): a 1x1 convolution as one matrix product.
func rowsTimes(x, w *Node) *Node {
	return imagesOf(Dot(rows(x), w).Product(), x)
}

// taps returns the nine images that the weights of a 3x3 window see, row by row: tap 3*dy+dx holds at each output
// position the input pixel under weight (dy, dx). Zeros come in by concatenation, since Pad has no gradient.
func taps(x *Node, p model.Padding, l model.Layer) []*Node {
	before, after := padding(p, l)
	for axis := 1; axis <= 2; axis++ {
		x = padAxis(x, axis, before, after)
	}
	return windows(x, l.OutSize, l.Stride)
}

// maxPooled is what of x (N, H, W, C), the output of layer l, goes on.
func maxPooled(x *Node, l model.Layer) *Node {
	if l.Pool < 2 {
		return x
	}
	return combined(Max, parts(x, l.Pool))
}

// combined is f of all of xs, one after the other: their sum, or their maximum.
func combined(f func(a, b *Node) *Node, xs []*Node) *Node {
	all := xs[0]
	for _, x := range xs[1:] {
		all = f(all, x)
	}
	return all
}

// parts are the k*k images (N, H/k, W/k, C) that have the first, the second and so on of the pixels in each window of k x k of x, row by row.
func parts(x *Node, k int) []*Node {
	var images []*Node
	for at := range k * k {
		images = append(images, Slice(x, AxisRange(), AxisRange(at/k).Stride(k), AxisRange(at%k).Stride(k), AxisRange()))
	}
	return images
}

// padding is the number of zeros before and after the data that a 3x3 layer's windows reach, rows and columns alike.
// TFLite's SAME puts the odd one after; the source has one before, and its last one only where a window gets that far.
func padding(p model.Padding, l model.Layer) (before, after int) {
	reach := (l.OutSize-1)*l.Stride + l.Kernel - l.InSize
	before = 1
	if p == model.PadSame {
		before = reach / 2
	}
	return before, reach - before
}

func padAxis(x *Node, axis, before, after int) *Node {
	zeros := func(n int) *Node {
		s := x.Shape().Clone()
		s.Dimensions[axis] = n
		return Zeros(x.Graph(), s)
	}
	parts := []*Node{x}
	if before > 0 {
		parts = append([]*Node{zeros(before)}, parts...)
	}
	if after > 0 {
		parts = append(parts, zeros(after))
	}
	if len(parts) == 1 {
		return x
	}
	return Concatenate(parts, axis)
}

// normalize is batch normalization of x (N, H, W, C) over its channels: (x-mean)/sqrt(var+eps)*gamma + beta, with the
// batch's own moments while training and the running ones otherwise.
func (n *net) normalize(x *Node, name string) *Node {
	m := n.runningMoments(name)
	if n.train {
		m = n.sumMoments(x)
		n.batch[name] = m
	}
	scale, shift, _ := n.folded(name, m)
	return affine(x, scale, shift)
}

func (n *net) runningMoments(name string) moments {
	return moments{mean: n.weights[name+".running_mean"], variance: n.weights[name+".running_var"]}
}

// folded is batch normalization by m as scale*x + shift (C); inverse is what of the scale is m's, 1/sqrt(var+eps).
func (n *net) folded(name string, m moments) (scale, shift, inverse *Node) {
	inverse = Reciprocal(Sqrt(AddScalar(m.variance, model.BNEpsilon)))
	scale = Mul(n.weights[name+".weight"], inverse)
	return scale, Sub(n.weights[name+".bias"], Mul(m.mean, scale)), inverse
}

// bnMomentum is how far the running statistics move towards each batch's, as in PyTorch.
const bnMomentum = 0.1

// running returns BN's new running mean and variance after a training pass. As in PyTorch the running variance is the
// unbiased one, n/(n-1) times the variance the batch was normalized with.
func (n *net) running(name string) (mean, variance *Node) {
	m := n.batch[name]
	blend := func(old, now *Node, f float64) *Node {
		return Add(MulScalar(old, 1-bnMomentum), MulScalar(now, bnMomentum*f))
	}
	unbiased := float64(m.count) / math.Max(1, float64(m.count-1))
	return blend(n.weights[name+".running_mean"], m.mean, 1), blend(n.weights[name+".running_var"], m.variance, unbiased)
}

// targets are the shares (N, k) of the classes that the answers to labels (N), int32, should have: 1-smoothing on the label, and smoothing
// spread evenly over all of them. A label below zero marks a row that is only there to fill the batch.
func targets(labels *Node, k int, smoothing float64, dtype dtypes.DType) *Node {
	return AddScalar(MulScalar(ConvertDType(oneHot(labels, k), dtype), 1-smoothing), smoothing/float64(k))
}

// crossEntropy returns each image's loss (N): the cross entropy of the softmax of logits (N, K) against target (N, K), whose rows sum
// to one.
func crossEntropy(logits, target *Node) *Node {
	z := Sub(logits, StopGradient(ExpandAxes(ReduceMax(logits, 1), 1)))
	return Sub(Log(ReduceSum(Exp(z), 1)), ReduceSum(Mul(z, target), 1))
}

// softmax is that of each row of logits (N, K).
func softmax(logits *Node) *Node {
	e := Exp(Sub(logits, ExpandAxes(ReduceMax(logits, 1), 1)))
	return Div(e, ExpandAxes(ReduceSum(e, 1), 1))
}

// oneHot returns (N, k), true where the column is the label.
func oneHot(labels *Node, k int) *Node {
	s := labels.Shape().Clone()
	s.Dimensions = append(s.Dimensions, k)
	columns := Iota(labels.Graph(), s, 1)
	return Equal(columns, BroadcastToDims(ExpandAxes(labels, 1), s.Dimensions...))
}

// hits returns the number of rows whose largest logit is the label's, as int32.
func hits(logits, labels *Node) *Node {
	return ReduceAllSum(ConvertDType(Equal(ArgMax(logits, 1, dtypes.Int32), labels), dtypes.Int32))
}
