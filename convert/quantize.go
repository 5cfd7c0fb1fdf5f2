package convert

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// quantize makes every activation an integer by its range, every weight int8 or int4 (per channel in convolutions, per
// tensor in fully connected layers, which is all that older kernels and Ethos-U take, unless the recipe says otherwise),
// every bias an integer that holds a sum.
func quantize(c *conversion) error {
	d := c.recipe.Scheme.activation()
	kept, err := c.islands()
	if err != nil {
		return err
	}
	nodes := slices.Clone(c.g.Nodes)
	c.standIns()
	if c.recipe.keepInput {
		kept[nil] = graph.Float32 // what no node computes
	}
	for _, v := range c.g.Values() {
		d := d
		if t, ok := kept[v.Def]; ok {
			d = t
		}
		if v.Constant() || d == graph.Float32 {
			continue
		}
		v.Type = graph.Type{DType: d, Shape: v.Type.Shape, Quant: rangeQuant(d, *v.Range)}
	}
	if scale, zero, ok := pixelQuant(c.g); ok && c.g.Inputs[0].Type.DType == graph.Int8 {
		c.g.Inputs[0].Type.Quant = quant.PerTensor(scale, zero)
	}
	c.embed(kept)
	for _, n := range nodes {
		if t, ok := kept[n]; ok && t == graph.Float32 {
			continue
		}
		if err := c.quantizeNode(n); err != nil {
			return fmt.Errorf("layer %q: %w", n.Out.Name, err)
		}
	}
	dropRanges(c.g)
	return nil
}

// standIns gives activations that were 0 in all samples the narrowest range that any other has. Their scale would be 1 otherwise, next to which
// the biases of who reads them, and what is added to them, are coarse or nothing.
func (c *conversion) standIns() {
	var least *graph.Interval
	empty := func(v *graph.Value) bool { return v.Range.Min == 0 && v.Range.Max == 0 }
	width := func(r *graph.Interval) float32 { return max(r.Max, 0) - min(r.Min, 0) }
	for _, v := range activations(c.g) {
		if !empty(v) && (least == nil || width(v.Range) < width(least)) {
			least = v.Range
		}
	}
	for _, v := range activations(c.g) {
		if least != nil && empty(v) {
			v.Range = &graph.Interval{Max: width(least)}
		}
	}
}

// quantizeNode settles the result's quantization, which began as what its range asks for, and the node's constants.
func (c *conversion) quantizeNode(n *graph.Node) error {
	if fixed(n) {
		return errors.New("it is what the network gives, and depends on constants alone")
	}
	d := n.Out.Type.DType
	if q := graph.FixedQuant(n.Op, d); q != nil {
		n.Out.Type.Quant = q
	}
	switch op := n.Op.(type) {
	case graph.Conv2D, graph.DepthwiseConv2D, graph.FullyConnected:
		return c.quantizeWeights(n)
	case graph.Arithmetic:
		for i, v := range n.In {
			if v.Constant() {
				if err := finite(floats(v)); err != nil {
					return err
				}
				r := extent(v)
				q := rangeQuant(d, r)
				if other := n.In[1-i]; r.Min == 0 && r.Max == 0 && !other.Constant() {
					q = other.Type.Quant // its own scale would be 1, next to which the result is coarse
				}
				n.SetInput(i, quantized(v, d, q))
			}
		}
		if op.Fn != graph.Mul {
			bits := 17 // kept under the fixed-point sum's 20, of int16 15
			if d == graph.Int16 {
				bits = 12
			}
			atLeast(n, max(n.In[0].Type.Quant.Scale[0], n.In[1].Type.Quant.Scale[0])/float32(int(1)<<bits))
		}
	case graph.Unary:
		if op.Fn == graph.HardSwish {
			in := n.In[0]
			s := in.Type.Quant.Scale[0]
			if atLeast(n, s/64); n.Out.Type.Quant.Scale[0] > 256*s {
				span := spanOf(in.Type) // in.Range may be a shared one, of which its quantization was set apart
				// Who shares its range has far larger values than the kernel reaches from this input's. The curve's own lie between half of a negative
				// input, or its least, and a positive one.
				n.Out.Type.Quant = rangeQuant(d, graph.Interval{Min: max(-0.375, min(span.Min, 0)/2), Max: max(span.Max, 4*s)})
			}
		}
	case graph.Mean, graph.Activate, graph.Softmax:
	default:
		if !n.SameQuant() {
			return fmt.Errorf("%s has no integer form", n.Op.Name())
		}
		c.oneQuant(n)
	}
	return nil
}

// oneQuant gives a node that only moves data one quantization throughout: its inputs', which may have been set apart
// from their ranges, or if those differ or don't hold a constant among them its result's, behind a QUANTIZE of the inputs that have another.
func (c *conversion) oneQuant(n *graph.Node) {
	var q *quant.Params
	same := true
	for _, v := range n.In {
		if v.Constant() {
			continue
		}
		if q == nil {
			q = v.Type.Quant
		}
		same = same && q.Equal(v.Type.Quant)
	}
	for _, v := range n.In {
		same = same && (!v.Constant() || q == nil || holds(q, n.Out.Type.DType, extent(v)))
	}
	if same && q != nil {
		n.Out.Type.Quant = q
	}
	q = n.Out.Type.Quant
	for i, v := range n.In {
		switch {
		case v.Constant():
			n.SetInput(i, quantized(v, n.Out.Type.DType, q))
		case !q.Equal(v.Type.Quant):
			r := c.g.Insert(n, v.Name+".rescaled", graph.Quantize{To: n.Out.Type.DType}, v)
			r.Type.Quant, r.Range = q, n.Out.Range
			for k, same := range n.In {
				if same == v {
					n.SetInput(k, r)
				}
			}
		}
	}
}

// spanOf is what integers of type t stand for, from the smallest to the largest.
func spanOf(t graph.Type) graph.Interval {
	lo, hi := t.DType.Limits()
	scale, zero := t.Quant.At(0)
	return graph.Interval{Min: quant.Dequantize(lo, scale, zero), Max: quant.Dequantize(hi, scale, zero)}
}

// holds says whether integers of type d reach all of a range, to within half of one.
func holds(q *quant.Params, d graph.DType, r graph.Interval) bool {
	scale, zero := q.At(0)
	lo, hi := d.Limits()
	at := func(i int32) float64 { return float64(scale) * float64(i-zero) }
	return float64(r.Min) >= at(lo)-float64(scale)/2 && float64(r.Max) <= at(hi)+float64(scale)/2
}

// rangeQuant is the quantization of a range in integers of type d: int8 with a zero point, int16 around 0.
func rangeQuant(d graph.DType, r graph.Interval) *quant.Params {
	if d == graph.Int16 {
		most := max(-r.Min, r.Max)
		if most <= 0 {
			return quant.PerTensor(1, 0)
		}
		return quant.PerTensor(quant.Symmetric(most, math.MaxInt16), 0)
	}
	return quant.PerTensor(quant.Asymmetric(r.Min, r.Max, quant.Int8Min, quant.Int8Max))
}

// quantized is a float32 constant in integers of type d.
func quantized(v *graph.Value, d graph.DType, q *quant.Params) *graph.Value {
	t := graph.Type{DType: d, Shape: v.Type.Shape, Quant: q}
	if d == graph.Int16 {
		return graph.Const(v.Name, t, integersOf[int16](v, t))
	}
	return graph.Const(v.Name, t, integersOf[int8](v, t))
}

func integersOf[T int8 | int16](v *graph.Value, t graph.Type) []T {
	scale, zero := t.Quant.At(0)
	lo, hi := t.DType.Limits()
	integers := make([]T, len(floats(v)))
	for i, x := range floats(v) {
		integers[i] = T(quant.Quantize(x, scale, zero, lo, hi))
	}
	return integers
}

// atLeast widens the result's range until its scale is one that runtimes take beside the inputs': TFLite's kernels stop
// at a ratio of 2^20 in an addition, of 2^7 in a hard swish, and XNNPACK at one of 2^8 from a layer's sums. A result so small has no bits to lose.
func atLeast(n *graph.Node, scale float32) {
	if q := n.Out.Type.Quant; q.Scale[0] < scale {
		steps := float32(255)
		if n.Out.Type.DType == graph.Int16 {
			steps = math.MaxInt16
		}
		n.Out.Type.Quant = rangeQuant(n.Out.Type.DType, graph.Interval{Min: n.Out.Range.Min, Max: steps * scale})
	}
}

// pixelQuant is the quantization of an image input that makes q = pixel - 128 exactly: scale 1/std and zero point
// mean - 128. It needs one normalization for all channels and a whole mean within the pixels' range.
func pixelQuant(g *graph.Graph) (scale float32, zero int32, ok bool) {
	if _, ok := pixelRange(g); !ok {
		return 0, 0, false
	}
	mean, std := g.Meta.Mean[0], g.Meta.Std[0]
	if mean != float32(math.Trunc(float64(mean))) || mean < 0 || mean > 255 {
		return 0, 0, false
	}
	return 1 / std, int32(mean) - 128, true
}

// quantizeWeights replaces a node's weight and bias by their integers. A layer without a bias gets one of zeros: the
// integer kernels insist on it.
func (c *conversion) quantizeWeights(n *graph.Node) error {
	in, out := n.In[0].Type, n.Out.Type.Quant.Scale[0]
	axis, _ := n.OutputAxis()
	channels := n.In[1].Type.Shape[axis]
	bias := make([]float32, channels)
	if len(n.In) > 2 {
		bias = floats(n.In[2])
	}
	if err := finite(bias); err != nil {
		return err
	}
	if err := c.roundWeight(n, c.recipe.Scheme.weight(n), func(o int) float32 {
		return leastScale(in, bias[o], out)
	}); err != nil {
		return err
	}
	wq := n.In[1].Type.Quant
	atLeast(n, in.Quant.Scale[0]*slices.Max(wq.Scale)/128)
	q := graph.BiasQuant(in.Quant, wq)
	integers := make([]float64, channels)
	for i := range integers {
		s, _ := q.At(i)
		// Divided in float64: float32 has too few digits for an int32.
		integers[i] = math.Round(float64(bias[i]) / float64(s))
	}
	t := graph.Type{DType: graph.BiasType(in.DType), Shape: []int{channels}, Quant: q}
	n.SetInput(2, biasConst(biasName(n), t, integers))
	l := newLayer(n)
	l.OutputMin, l.OutputMax = n.Out.Range.Min, n.Out.Range.Max
	c.layers = append(c.layers, l)
	return nil
}

// biasConst is a bias of whole numbers, clamped to what the type keeps.
func biasConst(name string, t graph.Type, integers []float64) *graph.Value {
	most := biasMost(graph.Int8)
	if t.DType == graph.Int64 {
		most = biasMost(graph.Int16)
		wide := make([]int64, len(integers))
		for i, q := range integers {
			wide[i] = int64(min(max(q, -most), most))
		}
		return graph.Const(name, t, wide)
	}
	narrow := make([]int32, len(integers))
	for i, q := range integers {
		narrow[i] = int32(min(max(q, -most), most))
	}
	return graph.Const(name, t, narrow)
}

// biasMost is the largest bias beside an activation of type x: an int32, or beside int16 what the requantization of
// the sum, of 48 bits, leaves it.
func biasMost(x graph.DType) float64 {
	if x == graph.Int16 {
		return 1<<45 - 1
	}
	return math.MaxInt32
}

// roundWeight replaces a node's weight by integers of type d, of scales not below least(channel).
func (c *conversion) roundWeight(n *graph.Node, d graph.DType, least func(channel int) float32) error {
	w := n.In[1]
	weights, shape := floats(w), w.Type.Shape
	axis, _ := n.OutputAxis()
	scales := make([]float32, shape[axis])
	first, step, taps := channelLayout(shape, axis)
	err := parallel(c.ctx, len(scales), func(o int) {
		scales[o] = max(quant.Symmetric(largestOf(weights[o*first:], step, taps), weightMost(d)), least(o))
	})
	if err == nil && finite(scales) != nil { // as they are where a weight is not
		err = finite(weights)
	}
	if err != nil {
		return err
	}
	q := quant.PerChannel(scales, axis)
	if !c.recipe.perChannel(n.Op) {
		q = quant.PerTensor(slices.Max(scales), 0)
	}
	integers, err := c.works.round(c, weights, shape, axis, d, q)
	if err != nil {
		return err
	}
	n.SetInput(1, c.weight(w.Name, graph.Type{DType: d, Shape: shape, Quant: q}, integers))
	return nil
}

// weight is a constant of those integers, the same for all layers that share them, until one of them is refined.
func (c *conversion) weight(name string, t graph.Type, integers []int8) *graph.Value {
	if c.weights == nil {
		c.weights = map[*int8]*graph.Value{}
	}
	v := c.weights[&integers[0]]
	if v == nil || !v.Type.Equal(t) { // one tensor of numbers may be weights of several shapes
		v = graph.Const(name, t, integers)
		c.weights[&integers[0]] = v
	}
	return v
}

// channelLayout says where a layer's weights of shape lie: those of output channel o, counted along axis, are the taps
// from o*first on, step apart.
func channelLayout(shape []int, axis int) (first, step, taps int) {
	all := 1
	for _, d := range shape {
		all *= d
	}
	if taps = all / shape[axis]; axis == 0 {
		return taps, 1, taps
	}
	return 1, shape[axis], taps
}

// weightMost is the largest integer of a weight of type d; its negative is the smallest.
func weightMost(d graph.DType) int32 {
	_, most := d.Limits()
	return most
}

func biasName(n *graph.Node) string {
	if len(n.In) > 2 {
		return n.In[2].Name
	}
	return n.Out.Name + ".bias"
}

// leastScale is the smallest scale of a channel's weights, beside an input of type in and a result of scale out, that keeps
//
//   - the bias within half of what holds it (a dead channel has weights near 1e-26 and a normal bias, tensorflow#33735),
//   - the factor in * scale / out at 2^-31 or more, below which XNNPACK refuses the model.
//
// Weights small against either floor become zeros, which is what they are at the output's resolution.
func leastScale(in graph.Type, bias, out float32) float32 {
	x := in.Quant.Scale[0]
	return max(2*abs(bias)/float32(biasMost(in.DType))/x, out/x/(1<<31))
}

func abs(x float32) float32 { return max(x, -x) }

func countFalse(b []bool) (n int) {
	for _, x := range b {
		if !x {
			n++
		}
	}
	return n
}
