package convert

import (
	"math"
	"slices"
	"sync"

	"mnet-edge/graph"
)

// correctBias takes from a layer's bias what rounding shifted its sums by. The error of a channel has a mean, since the inputs of
// a ReLU network do. It is measured before the activation:
//
//	b[c] += E[(w x + b)[c]] - E[(w' x' + b')[c]]
//
// x over the samples and all positions, primes for the quantized network, whose earlier layers are already corrected.
// Source: Nagel et al. 2019, section 4.2 and appendix D (empirical bias correction).
func (c *conversion) correctBias(n *graph.Node, x []any) error {
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
	if taps.means == nil { // else an earlier trial asked
		w, mean, means := floats(twin.Def.In[1]), taps.mean(), make([]float64, taps.OC)
		err := parallel(c.ctx, len(means), func(o int) {
			means[o] = response(&taps.view, w, o, mean)
			if len(twin.Def.In) > 2 {
				means[o] += float64(floats(twin.Def.In[2])[o])
			}
		})
		if err != nil {
			return nil, err
		}
		taps.means = means
	}
	return taps.means, nil
}

// quantizedMeans is the mean of the sums that the layer's integer weights give for its integer inputs x, without the bias, in
// the sums' own scale.
func (c *conversion) quantizedMeans(n *graph.Node, x []any) ([]float64, error) {
	t, w := newTapSummer(newView(n)), n.In[1].Data.([]int8)
	sums := make([]int64, t.taps())
	var mutex sync.Mutex
	err := parallel(c.ctx, len(x), func(i int) {
		part := fresh[int64](len(sums))
		switch x := x[i].(type) {
		case []int8:
			addTaps(t, x, part)
		case []int16:
			addTaps(t, x, part)
		}
		mutex.Lock()
		defer mutex.Unlock()
		for k, s := range part {
			sums[k] += s
		}
	})
	if err != nil {
		return nil, err
	}
	_, zero := n.In[0].Type.Quant.At(0)
	mean := make([]float64, len(sums))
	for tap, seen := range t.seen() {
		for k := tap * t.C; k < (tap+1)*t.C; k++ {
			mean[k] = float64(sums[k]-int64(zero)*int64(seen*len(x))) / float64(len(x)*t.positions())
		}
	}
	means := make([]float64, t.OC)
	return means, parallel(c.ctx, len(means), func(o int) { means[o] = response(&t.view, w, o, mean) })
}

// tapMeans gathers what the taps of a float layer see. The sums of the samples are kept apart until the end, so that their
// order is always the same.
type tapMeans struct {
	*tapSummer
	part  [][]float32 // (samples, taps)
	means []float64   // what floatMeans made of them
}

func (t *tapMeans) see(sample int, x []float32) {
	sums := fresh[float64](t.taps())
	addTaps(t.tapSummer, x, sums)
	t.part[sample] = make([]float32, len(sums))
	for k, s := range sums {
		t.part[sample][k] = float32(s)
	}
}

func (t *tapMeans) mean() []float64 {
	mean := make([]float64, t.taps())
	for _, p := range t.part {
		for k, s := range p {
			mean[k] += float64(s)
		}
	}
	for k := range mean {
		mean[k] /= float64(len(t.part) * t.positions())
	}
	return mean
}
