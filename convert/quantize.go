package convert

import (
	"fmt"
	"math"
	"slices"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// quantize makes every activation int8 by its range, every weight int8 (per channel in convolutions, per tensor in
// fully connected layers, which is all that older kernels and Ethos-U take), every bias int32.
func quantize(c *conversion) error {
	for _, v := range c.g.Values() {
		if v.Constant() {
			continue
		}
		v.Type = graph.Type{DType: graph.Int8, Shape: v.Type.Shape, Quant: asymmetric(*v.Range)}
	}
	if scale, zero, ok := pixelQuant(c.g); ok {
		c.g.Inputs[0].Type.Quant = quant.PerTensor(scale, zero)
	}
	for _, n := range slices.Clone(c.g.Nodes) {
		if err := c.quantizeNode(n); err != nil {
			return fmt.Errorf("layer %q: %w", n.Out.Name, err)
		}
	}
	for _, v := range c.g.Values() {
		v.Range = nil
	}
	return nil
}

// quantizeNode settles the result's quantization, which began as what its range asks for, and the node's constants.
func (c *conversion) quantizeNode(n *graph.Node) error {
	if q := graph.FixedQuant(n.Op, n.Out.Type.DType); q != nil {
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
				n.SetInput(i, quantized(v, asymmetric(extent(v))))
			}
		}
		if op.Fn != graph.Mul {
			atLeast(n, max(n.In[0].Type.Quant.Scale[0], n.In[1].Type.Quant.Scale[0])/(1<<17))
		}
	case graph.Unary:
		if op.Fn == graph.HardSwish {
			atLeast(n, n.In[0].Type.Quant.Scale[0]/64)
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
// from their ranges, or if those differ its result's, behind a QUANTIZE of the inputs that have another.
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
	if same && q != nil {
		n.Out.Type.Quant = q
	}
	q = n.Out.Type.Quant
	for i, v := range n.In {
		switch {
		case v.Constant():
			n.SetInput(i, quantized(v, q))
		case !q.Equal(v.Type.Quant):
			r := c.g.Insert(n, v.Name+".rescaled", graph.Quantize{To: graph.Int8}, v)
			r.Type.Quant, r.Range = q, n.Out.Range
			for k, same := range n.In {
				if same == v {
					n.SetInput(k, r)
				}
			}
		}
	}
}

// asymmetric is the int8 quantization of a range.
func asymmetric(r graph.Interval) *quant.Params {
	return quant.PerTensor(quant.Asymmetric(r.Min, r.Max, quant.Int8Min, quant.Int8Max))
}

// quantized is a float32 constant in int8.
func quantized(v *graph.Value, q *quant.Params) *graph.Value {
	scale, zero := q.At(0)
	integers := make([]int8, len(floats(v)))
	for i, x := range floats(v) {
		integers[i] = int8(quant.Quantize(x, scale, zero, quant.Int8Min, quant.Int8Max))
	}
	return graph.Const(v.Name, graph.Type{DType: graph.Int8, Shape: v.Type.Shape, Quant: q}, integers)
}

// atLeast widens the result's range until its scale is one that runtimes take beside the inputs': TFLite's kernels stop
// at a ratio of 2^20 in an addition, of 2^7 in a hard swish. A result so small has no bits to lose.
func atLeast(n *graph.Node, scale float32) {
	if q := n.Out.Type.Quant; q.Scale[0] < scale {
		n.Out.Type.Quant = asymmetric(graph.Interval{Min: n.Out.Range.Min, Max: 255 * scale})
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
// int8 kernels insist on it.
func (c *conversion) quantizeWeights(n *graph.Node) error {
	w, x, out := n.In[1], n.In[0].Type.Quant.Scale[0], n.Out.Type.Quant.Scale[0]
	axis, _ := outputAxis(n.Op)
	channels := w.Type.Shape[axis]
	bias := make([]float32, channels)
	if len(n.In) > 2 {
		bias = floats(n.In[2])
	}
	weights := floats(w)
	if err := finite(weights, bias); err != nil {
		return err
	}
	largest := make([]float32, channels)
	forChannels(w.Type.Shape, axis, func(channel, at int) {
		largest[channel] = max(largest[channel], abs(weights[at]))
	})
	scales := make([]float32, channels)
	for i := range scales {
		scales[i] = weightScale(largest[i], bias[i], x, out)
	}
	wq := quant.PerChannel(scales, axis)
	if _, fc := n.Op.(graph.FullyConnected); fc || c.recipe.PerTensor {
		s := scales[0]
		for _, t := range scales {
			s = max(s, t)
		}
		wq = quant.PerTensor(s, 0)
	}

	integers := make([]int8, len(weights))
	alive := make([]bool, channels)
	var signal, noise float64
	forChannels(w.Type.Shape, axis, func(channel, at int) {
		s, _ := wq.At(channel)
		q := quant.Quantize(weights[at], s, 0, quant.Int8NarrowMin, quant.Int8Max)
		integers[at] = int8(q)
		alive[channel] = alive[channel] || q != 0
		e := float64(weights[at]) - float64(quant.Dequantize(q, s, 0))
		signal += float64(float64(weights[at]) * float64(weights[at]))
		noise += float64(e * e)
	})
	biasQuant := &quant.Params{Scale: make([]float32, len(wq.Scale)), Zero: make([]int32, len(wq.Scale))}
	for i := range biasQuant.Scale {
		biasQuant.Scale[i] = graph.BiasScale(n.In[0].Type.Quant, wq, i)
	}
	biases := make([]int32, channels)
	var largestBias float64
	for i := range biases {
		s, _ := biasQuant.At(i)
		// Divided in float64: float32 has too few digits for an int32.
		q := math.Round(float64(bias[i]) / float64(s))
		biases[i] = int32(min(max(q, -math.MaxInt32), math.MaxInt32))
		largestBias = max(largestBias, math.Abs(q))
	}

	wt := graph.Type{DType: graph.Int8, Shape: w.Type.Shape, Quant: wq}
	n.SetInput(1, graph.Const(w.Name, wt, integers))
	bt := graph.Type{DType: graph.Int32, Shape: []int{channels}, Quant: biasQuant}
	n.SetInput(2, graph.Const(biasName(n), bt, biases))
	c.layers = append(c.layers, LayerReport{
		Name: n.Out.Name, Op: n.Op.Name(),
		WeightSNR:    decibels(signal, noise),
		DeadChannels: countFalse(alive),
		BiasHeadroom: 31 - math.Log2(largestBias+1),
		OutputMin:    n.Out.Range.Min, OutputMax: n.Out.Range.Max,
	})
	return nil
}

func biasName(n *graph.Node) string {
	if len(n.In) > 2 {
		return n.In[2].Name
	}
	return n.Out.Name + ".bias"
}

// weightScale is the scale of a channel: the largest weight at 127, and no smaller than what keeps
//
//   - the bias within half of int32 (a dead channel has weights near 1e-26 and a normal bias, tensorflow#33735),
//   - the factor in * scale / out at 2^-31 or more, below which XNNPACK refuses the model.
//
// Weights small against either floor become zeros, which is what they are at the output's resolution.
func weightScale(largest, bias, in, out float32) float32 {
	return max(quant.Symmetric(largest, quant.Int8Max), 2*abs(bias)/math.MaxInt32/in, out/in/(1<<31))
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
