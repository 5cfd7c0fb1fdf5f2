package convert

import (
	"fmt"
	"math"

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
		scale, zero := quant.Asymmetric(v.Range.Min, v.Range.Max, quant.Int8Min, quant.Int8Max)
		v.Type = graph.Type{DType: graph.Int8, Shape: v.Type.Shape, Quant: quant.PerTensor(scale, zero)}
	}
	if scale, zero, ok := pixelQuant(c.g); ok {
		c.g.Inputs[0].Type.Quant = quant.PerTensor(scale, zero)
	}
	for _, n := range c.g.Nodes {
		switch n.Op.(type) {
		case graph.Conv2D, graph.DepthwiseConv2D, graph.FullyConnected:
			if err := c.quantizeWeights(n); err != nil {
				return fmt.Errorf("layer %q: %w", n.Out.Name, err)
			}
		case graph.Mean:
		case graph.Pad, graph.Reshape:
			// One quantization on both sides: the input's may have been set apart from its range.
			n.Out.Type.Quant = n.In[0].Type.Quant
		default:
			return fmt.Errorf("%s %q has no integer form", n.Op.Name(), n.Out.Name)
		}
	}
	for _, v := range c.g.Values() {
		v.Range = nil
	}
	return nil
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
	if _, fc := n.Op.(graph.FullyConnected); fc {
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
		WeightSNR:    10 * math.Log10(max(signal, math.SmallestNonzeroFloat64)/max(noise, math.SmallestNonzeroFloat64)),
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
