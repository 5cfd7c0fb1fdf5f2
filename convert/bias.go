package convert

import (
	"math"
	"slices"
	"sync"

	"mnet-edge/graph"
)

// correcting is the number of samples that bias correction looks at.
func (c *conversion) correcting() int { return min(runs(c.g, 32, 64), len(c.samples)) }

// correctBias is the pass. Rounding weights shifts what a channel sums up to: the error has a mean, since the inputs of
// a ReLU network do. It is measured before the activation and taken from the bias:
//
//	b[c] += E[(w x + b)[c]] - E[(w' x' + b')[c]]
//
// x over the samples and all positions, primes for the quantized network, whose earlier layers are already corrected.
// Source: Nagel et al. 2019, section 4.2 and appendix D (empirical bias correction).
func correctBias(c *conversion) error {
	return c.eachLayer(spread(c.samples, c.correcting()), func(n *graph.Node, x [][]int16) error {
		want, err := c.floatMeans(n)
		if err != nil || want == nil || len(n.In) < 3 {
			return err
		}
		got, err := c.quantizedMeans(n, x)
		if err != nil {
			return err
		}
		b := n.In[2]
		half := math.Floor(biasMost(n.In[0].Type.DType) / 2) // the other half is left to the sum of products
		bias := make([]float64, len(want))
		for i := range bias {
			s, _ := b.Type.Quant.At(i)
			bias[i] = min(max(math.Round(want[i]/float64(s)-got[i]), -half), half)
		}
		n.SetInput(2, biasConst(b.Name, b.Type, bias))
		return nil
	})
}

// floatMeans is the mean of each channel of a quantized layer's twin in the float network, before the activation; nil
// where it has none.
func (c *conversion) floatMeans(n *graph.Node) ([]float64, error) {
	twin := c.twin[n.Out]
	if twin == nil || twin.Def == nil {
		return nil, nil
	}
	taps := c.seen.taps[slices.Index(c.float.Nodes, twin.Def)]
	if taps == nil {
		return nil, nil
	}
	v, w := newView(twin.Def), floats(twin.Def.In[1])
	mean := taps.mean()
	means := make([]float64, v.filters)
	return means, parallel(c.ctx, len(means), func(o int) {
		means[o] = response(&v, w, o, mean)
		if len(twin.Def.In) > 2 {
			means[o] += float64(floats(twin.Def.In[2])[o])
		}
	})
}

// quantizedMeans is the mean of the sums that the layer's integer weights give for its integer inputs, without the bias, in
// the sums' own scale. x are integers less the zero point.
func (c *conversion) quantizedMeans(n *graph.Node, x [][]int16) ([]float64, error) {
	v, w := newView(n), n.In[1].Data.([]int8)
	sums := make([]int64, v.taps())
	var mutex sync.Mutex
	err := parallel(c.ctx, len(x), func(i int) {
		part := make([]int64, len(sums))
		sumTaps(&v, x[i], part)
		mutex.Lock()
		defer mutex.Unlock()
		for k, s := range part {
			sums[k] += s
		}
	})
	if err != nil {
		return nil, err
	}
	mean := make([]float64, len(sums))
	for k, s := range sums {
		mean[k] = float64(s) / float64(len(x)*v.positions())
	}
	means := make([]float64, v.filters)
	return means, parallel(c.ctx, len(means), func(o int) { means[o] = response(&v, w, o, mean) })
}

// tapMeans gathers what the taps of a float layer see. The sums of the samples are kept apart until the end, so that their
// order is always the same.
type tapMeans struct {
	view view
	part [][]float32 // (samples, taps)
}

func (t *tapMeans) add(sample int, x []float32) {
	sums := make([]float64, t.view.taps())
	sumTaps(&t.view, x, sums)
	t.part[sample] = make([]float32, len(sums))
	for k, s := range sums {
		t.part[sample][k] = float32(s)
	}
}

func (t *tapMeans) mean() []float64 {
	mean := make([]float64, t.view.taps())
	for _, p := range t.part {
		for k, s := range p {
			mean[k] += float64(s)
		}
	}
	for k := range mean {
		mean[k] /= float64(len(t.part) * t.view.positions())
	}
	return mean
}
