package convert

import (
	"fmt"
	"math"
	"slices"

	"mnet-edge/graph"
)

// pass is one step of a conversion. It takes a graph at level from, and leaves it at level to.
type pass struct {
	name     string
	from, to graph.Level
	wanted   func(Recipe) bool // nil: always
	run      func(*conversion) error
}

// folding is what makes a graph one of layers, at level Folded.
var folding = []pass{
	{"fold-batch-norm", graph.Float, graph.Folded, nil, foldBatchNorm},
	{"fuse-activation", graph.Folded, graph.Folded, nil, fuseActivation},
	{"fold-constants", graph.Folded, graph.Folded, nil, foldConstants},
}

// passes is everything that happens between a checkpoint and a file, in order. A graph that enters at a later level
// (a float .tflite is Folded) skips what comes before.
var passes = slices.Concat(folding, []pass{
	{"halve-weights", graph.Folded, graph.Quantized, scheme(Float16), halveWeights},
	{"weights-only", graph.Folded, graph.Quantized, scheme(Dynamic), weightsOnly},
	{"choose", graph.Folded, graph.Folded, func(r Recipe) bool { return r.Scheme.Integer() && r.open() }, choose},
	{"equalize", graph.Folded, graph.Folded, func(r Recipe) bool { return r.Scheme.Integer() && r.Equalize != Off }, equalize},
	{"calibrate", graph.Folded, graph.Ranged, integer, calibrate},
	{"share-range", graph.Ranged, graph.Ranged, integer, shareRange},
	{"quantize", graph.Ranged, graph.Quantized, integer, quantize},
	{"refine", graph.Quantized, graph.Quantized, func(r Recipe) bool { return r.Scheme.Integer() && (r.RoundWeights == On || r.CorrectBias == On) }, refine},
	{"float-io", graph.Quantized, graph.Quantized, func(r Recipe) bool { return r.Scheme.Integer() && r.FloatIO }, floatIO},
})

func scheme(s Scheme) func(Recipe) bool { return func(r Recipe) bool { return r.Scheme == s } }

func integer(r Recipe) bool { return r.Scheme.Integer() }

// foldBatchNorm multiplies BN's gain into the weights of the convolution before it and makes the rest a bias:
//
//	gain = gamma / sqrt(variance + eps)      w' = w * gain      b' = (b - mean) * gain + beta
//
// Computed in float64 and rounded once. Source: Jacob et al. 2018, section 3.2.
func foldBatchNorm(c *conversion) error {
	for _, n := range slices.Clone(c.g.Nodes) {
		bn, ok := n.Op.(graph.BatchNorm)
		if !ok {
			continue
		}
		conv := n.In[0].Def
		axis, ok := -1, false
		if conv != nil && len(conv.Out.Uses) == 1 && !slices.Contains(c.g.Outputs, conv.Out) {
			axis, ok = conv.OutputAxis()
		}
		if !ok || activation(conv.Op) != graph.Linear {
			return fmt.Errorf("%q does not follow a convolution of its own", n.Out.Name)
		}
		channels := n.Out.Type.Shape[len(n.Out.Type.Shape)-1]
		gain, bias := make([]float64, channels), make([]float32, channels)
		gamma, beta := floats(n.In[1]), floats(n.In[2])
		mean, variance := floats(n.In[3]), floats(n.In[4])
		for i := range channels {
			gain[i] = float64(gamma[i]) / math.Sqrt(float64(variance[i])+float64(bn.Eps))
			var b float64
			if len(conv.In) > 2 {
				b = float64(floats(conv.In[2])[i])
			}
			bias[i] = float32(float64((b-float64(mean[i]))*gain[i]) + float64(beta[i]))
		}
		w := conv.In[1]
		scaled := make([]float32, len(floats(w)))
		forChannels(w.Type.Shape, axis, func(channel, at int) {
			scaled[at] = float32(float64(floats(w)[at]) * gain[channel])
		})
		if err := finite(scaled, bias); err != nil {
			return fmt.Errorf("layer %q: %w", conv.Out.Name, err)
		}
		conv.SetInput(1, graph.Const(w.Name, w.Type, scaled))
		conv.SetInput(2, graph.Const(conv.Out.Name+".bias", float32Type(channels), bias))
		c.g.Replace(n.Out, conv.Out)
		if err := c.g.Remove(n); err != nil {
			return err
		}
	}
	return nil
}

// fuseActivation makes an activation part of the operator that feeds it, if that feeds nothing else. The value keeps
// the operator's name, which is the layer's.
func fuseActivation(c *conversion) error {
	for _, n := range slices.Clone(c.g.Nodes) {
		act, ok := n.Op.(graph.Activate)
		if !ok {
			continue
		}
		from := n.In[0].Def
		if from == nil || len(from.Out.Uses) > 1 || slices.Contains(c.g.Outputs, from.Out) {
			continue
		}
		op, ok := from.Op.(graph.Activated)
		if _, pool := from.Op.(graph.Pool); !ok || pool || op.Fused() != graph.Linear {
			continue // in a pool, EdgeTPU takes none
		}
		from.Op = op.WithActivation(act.Act)
		c.g.Replace(n.Out, from.Out)
		if err := c.g.Remove(n); err != nil {
			return err
		}
	}
	return nil
}

// shareRange gives all ends of an operator that only moves data one range, the union of theirs, so that the operator
// needs no requantization. Zeros added by a PAD are in every range already.
func shareRange(c *conversion) error {
	for changed := true; changed; {
		changed = false
		for _, n := range c.g.Nodes {
			if !n.SameQuant() {
				continue
			}
			union := *n.Out.Range
			for _, v := range n.In {
				r := extent(v)
				union.Min, union.Max = min(union.Min, r.Min), max(union.Max, r.Max)
			}
			for _, v := range append([]*graph.Value{n.Out}, n.In...) {
				if !v.Constant() && *v.Range != union {
					v.Range, changed = &union, true
				}
			}
		}
	}
	return nil
}

// extent is the range of a value, which a constant has by its numbers.
func extent(v *graph.Value) graph.Interval {
	if !v.Constant() {
		return *v.Range
	}
	return graph.Interval{Min: slices.Min(floats(v)), Max: slices.Max(floats(v))}
}

// floatIO puts a QUANTIZE behind each input and a DEQUANTIZE before each output.
func floatIO(c *conversion) error {
	g := c.g
	var first *graph.Node
	if len(g.Nodes) > 0 {
		first = g.Nodes[0]
	}
	for i, old := range g.Inputs {
		if old.Type.DType == graph.Float32 {
			continue
		}
		in := &graph.Value{Name: old.Name, Type: float32Type(old.Type.Shape...)}
		q := g.Insert(first, old.Name+"."+old.Type.DType.String(), graph.Quantize{To: old.Type.DType}, in)
		q.Type.Quant = old.Type.Quant
		g.Replace(old, q)
		g.Inputs[i] = in
	}
	for i, old := range g.Outputs {
		if old.Type.DType == graph.Float32 {
			continue
		}
		g.Outputs[i] = g.Insert(nil, old.Name+".float", graph.Dequantize{}, old)
	}
	return nil
}

// activation is what is fused into an operator.
func activation(op graph.Op) graph.Activation {
	if op, ok := op.(graph.Activated); ok {
		return op.Fused()
	}
	return graph.Linear
}

// forChannels calls f for every element of a tensor with its index along axis.
func forChannels(shape []int, axis int, f func(channel, at int)) {
	outer, inner := 1, 1
	for i, d := range shape {
		if i < axis {
			outer *= d
		} else if i > axis {
			inner *= d
		}
	}
	at := 0
	for range outer {
		for channel := range shape[axis] {
			for range inner {
				f(channel, at)
				at++
			}
		}
	}
}

// floats is the data of a float32 constant; Check has made sure that below level Quantized there are no others.
func floats(v *graph.Value) []float32 {
	return v.Data.([]float32)
}

func finite(slices ...[]float32) error {
	const infinite = 0xff << 23
	for _, s := range slices {
		for i, x := range s {
			if math.Float32bits(x)&infinite == infinite {
				return fmt.Errorf("value %v at %d", x, i)
			}
		}
	}
	return nil
}
