package train

import (
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //lint:ignore ST1001 the pass reads as its equations

	"mnet-edge/model"
)

// pass is a training pass over one batch with its backward pass written out. It computes what forward and GoMLX's
// differentiation compute, but says what is kept in memory and what is computed again where it is read. On a CPU that decides the
// speed: a convolution apart, every operation here costs the time its tensors take through memory.
//
// keep marks the tensors that are stored. Between two of them XLA makes one loop of everything. Sums over pixels are written so
// that its kernels for sums take them: a product, summed over rows.
type pass struct {
	*net
	layers []layerPass
	grads  map[string]*Node // by the weight's name
}

// layerPass is what a layer's forward pass leaves for its backward pass.
type layerPass struct {
	model.Layer
	read         *Node // what the convolution read: images (N, H, W, C), padded for a depthwise one, or rows (N*H*W, I), or columns (N*H*W, 9*I)
	x            *Node // what it made, before BN (N, H, W, C)
	scale, shift *Node // (C): the layer's output is scale*x + shift, through a ReLU if it has one
	inverse      *Node // (C): 1/sqrt(variance+eps)
	moments
}

// keep stores x rather than compute it again in each operation that reads it.
func keep(x *Node) *Node { return OptimizationBarrier(x) }

// gradients returns the mean loss over the batch, which is q's, the number of hits, and the loss's gradient for each trainable weight by
// name. The statistics of the batch are in n.batch afterwards.
func (n *net) gradients(pixels, labels *Node, q goal) (loss, correct *Node, grads map[string]*Node) {
	p := &pass{net: n, grads: map[string]*Node{}}
	logits, dLogits, loss := p.forward(pixels, q)
	p.backward(dLogits)
	p.sumGradients()
	return n.across(loss)[0], n.across(hits(logits, labels))[0], p.grads
}

// forward runs the net and returns its logits (N, Classes), the loss's gradient there, and the loss.
func (p *pass) forward(pixels *Node, q goal) (logits, dLogits, loss *Node) {
	x := p.pixels(pixels)
	for _, l := range p.spec.Layers() {
		w := p.weights[l.Name+".weight"]
		if l.Kind == model.Linear {
			d := x.Shape().Dimensions
			pooled := MulScalar(ReduceSum(x, 1, 2), 1/float64(d[1]*d[2]))
			p.layers = append(p.layers, layerPass{Layer: l, read: keep(pooled), x: x})
			logits = Add(Dot(pooled, w).Product(), ExpandAxes(p.weights[l.Name+".bias"], 0))
			break
		}
		lp := layerPass{Layer: l}
		switch {
		case l.Kind == model.Depthwise:
			lp.read = keep(padded(x, p.spec.Padding, l))
			lp.x = keep(weighted(windows(lp.read, l.OutSize, l.Stride), w))
		case l.Kernel == 1:
			lp.read = keep(rows(x))
			lp.x = imagesOf(Dot(lp.read, w).Product(), x)
		case byColumns(l):
			lp.read = keep(rows(Concatenate(taps(x, p.spec.Padding, l), 3)))
			lp.x = Reshape(Dot(lp.read, w).Product(), x.Shape().Dim(0), l.OutSize, l.OutSize, l.Out)
		default:
			lp.read = keep(x)
			lp.x = dense(lp.read, w, p.spec.Padding, l)
		}
		lp.moments = p.sumMoments(lp.x)
		p.batch[l.BN] = lp.moments
		lp.scale, lp.shift, lp.inverse = p.folded(l.BN, lp.moments)
		p.layers = append(p.layers, lp)
		x = affine(lp.x, lp.scale, lp.shift)
		if l.ReLU {
			x = MaxScalar(x, 0)
		}
		x = maxPooled(x, l)
	}
	share := 1 / float64(max(1, p.devices))
	dLogits = MulScalar(q.gradient(logits), share/float64(logits.Shape().Dimensions[0]))
	return logits, dLogits, MulScalar(ReduceAllMean(q.loss(logits)), share)
}

// backward goes from the logits' gradient (N, Classes) to those of all weights.
func (p *pass) backward(d *Node) {
	for i := len(p.layers) - 1; i >= 0; i-- {
		l := p.layers[i]
		w := p.weights[l.Name+".weight"]
		if l.Kind == model.Linear {
			p.grads[l.Name+".weight"] = transposedTimes(l.read, d)
			p.grads[l.Name+".bias"] = ReduceSum(d, 0)
			s := l.x.Shape().Dimensions
			pooled := MulScalar(timesTransposed(d, w), 1/float64(s[1]*s[2]))
			d = BroadcastToDims(ExpandAxes(pooled, 1, 2), s...)
			continue
		}
		d = p.normalizeGradient(l, maxPooledGradient(l, d))
		switch {
		case l.Kind == model.Depthwise:
			d = keep(spread(d, p.spec.Padding, l.Layer))
			p.grads[l.Name+".weight"] = depthwiseWeightGradient(l, d, p.spec.Padding)
			d = weighted(windows(d, l.InSize, 1), Reverse(w, 0))
		case l.Kernel == 1:
			d = keep(rows(d))
			p.grads[l.Name+".weight"] = transposedTimes(l.read, d)
			d = imagesOf(timesTransposed(d, w), l.x)
		default:
			d = keep(d)
			if byColumns(l.Layer) {
				p.grads[l.Name+".weight"] = transposedTimes(l.read, rows(d))
			} else {
				p.grads[l.Name+".weight"] = denseWeightGradient(l, d, p.spec.Padding, largeKernel)
			}
			if i > 0 {
				d = denseInputGradient(l, d, w, p.spec.Padding)
			}
		}
	}
}

// normalizeGradient takes the gradient d of a layer's output through its ReLU and BN. With x^ = (x-mean)/sqrt(variance+eps),
// n values a channel and g the gradient behind the ReLU (Ioffe and Szegedy 2015, section 3):
//
//	dbeta = sum g      dgamma = sum g*x^      dx = scale * (g - dbeta/n - x^*dgamma/n)
//
// written as dx = scale*g + a*x + b with two numbers a channel.
func (p *pass) normalizeGradient(l layerPass, d *Node) *Node {
	if l.ReLU {
		d = Where(GreaterThan(affine(l.x, l.scale, l.shift), ScalarZero(d.Graph(), d.DType())), d, ZerosLike(d))
	}
	g := keep(d)
	sums := p.across(ReduceSum(rows(g), 0), ReduceSum(rows(Mul(g, l.x)), 0))
	beta := sums[0]
	gamma := Mul(l.inverse, Sub(sums[1], Mul(l.mean, beta)))
	p.grads[l.BN+".bias"], p.grads[l.BN+".weight"] = beta, gamma
	perValue := MulScalar(l.scale, -1/float64(l.count))
	a := Mul(perValue, Mul(l.inverse, gamma))
	b := Sub(Mul(perValue, beta), Mul(a, l.mean))
	return Add(Mul(g, channels(l.scale)), affine(l.x, a, b))
}

// maxPooledGradient takes the gradient d of what pooling made of a layer's output to that output: it goes to the greatest value of a window, in
// equal shares to those that are equally great.
func maxPooledGradient(l layerPass, d *Node) *Node {
	if l.Pool < 2 {
		return d
	}
	x := affine(l.x, l.scale, l.shift)
	greatest := keep(maxPooled(x, l.Layer))
	var equal []*Node
	for _, part := range parts(x, l.Pool) {
		equal = append(equal, ConvertDType(Equal(part, greatest), d.DType()))
	}
	share := Div(d, combined(Add, equal))
	return Where(Equal(x, repeated(greatest, l.Pool)), repeated(keep(share), l.Pool), ZerosLike(x))
}

// repeated has each pixel of x (N, H, W, C) k times in each direction.
func repeated(x *Node, k int) *Node {
	d := x.Shape().Dimensions
	wide := BroadcastToDims(Reshape(x, d[0], d[1], 1, d[2], 1, d[3]), d[0], d[1], k, d[2], k, d[3])
	return Reshape(wide, d[0], d[1]*k, d[2]*k, d[3])
}

// sliding is the axes of a convolution of images (N, H, W, C) with a kernel (H, W, I, O).
var sliding = compute.ConvolveAxesConfig{
	InputBatch: 0, InputSpatial: []int{1, 2}, InputChannels: 3,
	KernelSpatial: []int{0, 1}, KernelInputChannels: 2, KernelOutputChannels: 3,
	OutputBatch: 0, OutputSpatial: []int{1, 2}, OutputChannels: 3,
}

// dense is the dense 3x3 convolution of layer l on x (N, H, W, I) with w (9*I, O), or the same as (3, 3, I, O), by XLA's own.
func dense(x, w *Node, p model.Padding, l model.Layer) *Node {
	before, after := padding(p, l)
	around := [2]int{before, after}
	return ConvGeneral(x, Reshape(w, l.Kernel, l.Kernel, l.In, l.Out), sliding, []int{l.Stride, l.Stride}, [][2]int{around, around}, nil, nil, 1, 1)
}

// denseInputGradient is the gradient of a dense 3x3 layer's input for the gradient d of its output (N, H, W, O): a convolution with the kernel
// turned by half a circle or, by columns, the gradient of each column added to the pixel that it was.
func denseInputGradient(l layerPass, d, w *Node, p model.Padding) *Node {
	if l.Stride == 1 && !byColumns(l.Layer) {
		back := l.Layer
		back.In, back.Out = l.Out, l.In
		return dense(d, Transpose(Reverse(Reshape(w, l.Kernel, l.Kernel, l.In, l.Out), 0, 1), 2, 3), p, back)
	}
	columns := imagesOf(timesTransposed(rows(d), w), d)
	before, after := padding(p, l.Layer)
	reach := (l.OutSize-1)*l.Stride + 1
	whole := before + l.InSize + after
	var placed []*Node
	for tap := range l.Kernel * l.Kernel {
		along := func(d int) compute.PadAxis {
			return compute.PadAxis{Start: d, End: whole - reach - d, Interior: l.Stride - 1}
		}
		column := Slice(columns, AxisRange(), AxisRange(), AxisRange(), AxisRange(tap*l.In, (tap+1)*l.In))
		placed = append(placed, Pad(column, ScalarZero(d.Graph(), d.DType()), compute.PadAxis{}, along(tap/3), along(tap%3), compute.PadAxis{}))
	}
	image := AxisRange(before, before+l.InSize)
	return Slice(combined(Add, placed), AxisRange(), image, image, AxisRange())
}

// denseWeightGradient is the gradient (9*I, O) of a dense 3x3 layer's weight for the gradient d of its output (N, H, W, O): a convolution too,
// in which images and channels change places and d is the kernel. It is made of so many images at a time that this has at most largest values,
// and added up.
func denseWeightGradient(l layerPass, d *Node, p model.Padding, largest int) *Node {
	before, after := padding(p, l.Layer)
	around := [2]int{before, after}
	var sums []*Node
	images := d.Shape().Dim(0)
	step := divisor(images, min(images, max(1, largest/(l.OutSize*l.OutSize*l.Out))))
	for from := 0; from < images; from += step {
		some := AxisRange(from, from+step)
		sums = append(sums, ConvGeneral(Slice(l.read, some), Slice(d, some), compute.ConvolveAxesConfig{
			InputBatch: 3, InputSpatial: []int{1, 2}, InputChannels: 0,
			KernelSpatial: []int{1, 2}, KernelInputChannels: 0, KernelOutputChannels: 3,
			OutputBatch: 2, OutputSpatial: []int{0, 1}, OutputChannels: 3,
		}, []int{1, 1}, [][2]int{around, around}, nil, []int{l.Stride, l.Stride}, 1, 1))
	}
	return Reshape(combined(Add, sums), l.Kernel*l.Kernel*l.In, l.Out)
}

// largeKernel is the number of float32 values, 8 MiB of them, above which XLA's convolution on a CPU takes up to twice as long a value.
const largeKernel = 1 << 21

// spread lays the gradient d of a depthwise layer's output (N, H, W, C) out so that windows of stride 1 over it, with the kernel
// turned by half a circle, give the gradient of the layer's input: stride-1 zeros between the values, and zeros around them.
func spread(d *Node, p model.Padding, l model.Layer) *Node {
	before, _ := padding(p, l)
	start := l.Kernel - 1 - before
	end := l.InSize + l.Kernel - 1 - start - ((l.OutSize-1)*l.Stride + 1)
	return pad(d, start, end, l.Stride-1)
}

// depthwiseWeightGradient is the gradient (9, C) of a depthwise layer's weight: for each tap the sum over all outputs of the
// tap's input times the output's gradient, which is read from what spread made.
//
// The sums begin as partial sums of some eight products. They are a loop for each row of taps that reads both tensors once and
// writes an eighth of them; what is left is a sum over rows.
func depthwiseWeightGradient(l layerPass, spreadGradient *Node, p model.Padding) *Node {
	before, _ := padding(p, l.Layer)
	start := l.Kernel - 1 - before
	images, channels := l.read.Shape().Dimensions[0], l.Out
	across := divisor(l.OutSize, 8)
	blocks := divisor(images, 8/across)
	var sums []*Node
	for dy := range l.Kernel {
		var row []*Node
		for dx := range l.Kernel {
			var products []*Node
			for part := range across * blocks {
				block, column := part/across*(images/blocks), part%across
				at := func(x *Node, y, x0, stride int) *Node { // every across-th column of one block of images
					return Slice(x, AxisRange(block, block+images/blocks),
						AxisRange(y, y+(l.OutSize-1)*stride+1).Stride(stride),
						AxisRange(x0+column*stride, x0+(l.OutSize-1)*stride+1).Stride(stride*across), AxisRange())
				}
				products = append(products, Mul(at(l.read, dy, dx, l.Stride), at(spreadGradient, start, start, l.Stride)))
			}
			row = append(row, ExpandAxes(combined(Add, products), 3))
		}
		r := Concatenate(row, 3) // (images/blocks, H, W/across, 3, C)
		sums = append(sums, ReduceSum(Reshape(r, r.Shape().Size()/(l.Kernel*channels), l.Kernel*channels), 0))
	}
	return Reshape(Concatenate(sums, 0), l.Kernel*l.Kernel, channels)
}

// divisor is the largest divisor of n that is at most limit.
func divisor(n, limit int) int {
	for n%limit != 0 {
		limit--
	}
	return limit
}

// sumMoments are the moments of x (N, H, W, C) by channel, of the batch that all devices have together. The variance is the mean of squares less
// the squared mean: in float32 its error is a few 1e-7 of the mean of squares, far below BNEpsilon at the sizes activations have here;
// rounding below zero is cut off.
func (n *net) sumMoments(x *Node) moments {
	r := rows(x)
	count := r.Shape().Dimensions[0] * max(1, n.devices)
	sums := n.across(ReduceSum(r, 0), ReduceSum(Mul(r, r), 0))
	mean, squares := MulScalar(sums[0], 1/float64(count)), MulScalar(sums[1], 1/float64(count))
	return moments{mean, MaxScalar(Sub(squares, Mul(mean, mean)), 0), count}
}

// windows returns the nine images (N, size, size, C) that the taps of a 3x3 window moved by stride over x see, row by row.
func windows(x *Node, size, stride int) []*Node {
	along := func(d int) SliceAxisSpec { return AxisRange(d, d+(size-1)*stride+1).Stride(stride) }
	var ts []*Node
	for tap := range 9 {
		ts = append(ts, Slice(x, AxisRange(), along(tap/3), along(tap%3), AxisRange()))
	}
	return ts
}

// weighted sums the images (N, H, W, C) with a weight (taps, C) each.
func weighted(images []*Node, w *Node) *Node {
	var terms []*Node
	for i, x := range images {
		terms = append(terms, Mul(x, channels(Reshape(Slice(w, AxisElem(i)), w.Shape().Dimensions[1]))))
	}
	return combined(Add, terms)
}

// padded puts the zeros around x (N, H, W, C) that the layer's windows reach.
func padded(x *Node, p model.Padding, l model.Layer) *Node {
	before, after := padding(p, l)
	return pad(x, before, after, 0)
}

// pad puts zeros around rows and columns of x (N, H, W, C), and between zeros between any two of them.
func pad(x *Node, before, after, between int) *Node {
	axis := compute.PadAxis{Start: before, End: after, Interior: between}
	return Pad(x, ScalarZero(x.Graph(), x.DType()), compute.PadAxis{}, axis, axis, compute.PadAxis{})
}

// rows is x (N, H, W, C) as a matrix (N*H*W, C), imagesOf the way back to pictures the size of like's.
func rows(x *Node) *Node {
	d := x.Shape().Dimensions
	return Reshape(x, d[0]*d[1]*d[2], d[3])
}

func imagesOf(r, like *Node) *Node {
	d := like.Shape().Dimensions
	return Reshape(r, d[0], d[1], d[2], r.Shape().Dimensions[1])
}

// affine is scale*x + shift, a channel's own.
func affine(x, scale, shift *Node) *Node { return Add(Mul(x, channels(scale)), channels(shift)) }

// channels lets v (C) work on every pixel of (N, H, W, C).
func channels(v *Node) *Node { return ExpandLeftToRank(v, 4) }

// transposedTimes is a' b for a (R, I) and b (R, O); timesTransposed is a b' for a (R, O) and b (I, O).
func transposedTimes(a, b *Node) *Node { return DotGeneral(a, []int{0}, nil, b, []int{0}, nil) }
func timesTransposed(a, b *Node) *Node { return DotGeneral(a, []int{1}, nil, b, []int{1}, nil) }
