package convert

import (
	"math"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// LayerReport describes how one layer with weights was quantized. Ratios in dB are within ±MaxDB; without an error they
// are MaxDB.
type LayerReport struct {
	Name          string  `json:"name"`
	Op            string  `json:"op"`
	WeightSNR     float64 `json:"weight_snr_db"`      // signal to quantization noise of the weights, in dB
	ActivationSNR float64 `json:"activation_snr_db"`  // the same of the output: integer network against float, all errors so far
	Cosine        float64 `json:"cosine"`             // of the angle between the two outputs
	Clipped       float64 `json:"clipped_share"`      // share of the float outputs outside the integers' range
	DeadChannels  int     `json:"dead_channels"`      // channels whose weights all quantize to zero
	BiasHeadroom  float64 `json:"bias_headroom_bits"` // bits left between the largest bias and the limit of what holds it
	OutputMin     float32 `json:"output_min"`         // real range of the output, after the activation
	OutputMax     float32 `json:"output_max"`
	Alone         *Alone  `json:"alone,omitempty"` // what EachAlone found, where it was asked
}

// layer is one, whose name others may have too, and the report of it: what became of it is measured once all is done to it.
type layer struct {
	n *graph.Node
	LayerReport
}

func newLayer(n *graph.Node) layer {
	return layer{n, LayerReport{Name: n.Out.Name, Op: n.Op.Name()}}
}

// MaxDB bounds reported ratios: JSON has no infinity.
const MaxDB = 200

// decibels is signal / noise.
func decibels(signal, noise float64) float64 {
	switch {
	case noise == 0:
		return MaxDB
	case signal == 0:
		return -MaxDB
	}
	return min(max(10*math.Log10(signal/noise), -MaxDB), MaxDB)
}

// measure runs the int8 network and the float one side by side and completes the layers' reports.
func (c *conversion) measure() error {
	samples := spread(c.samples, runs(c.g, 16, 32))
	found, err := c.compare(samples)
	if err != nil {
		return err
	}
	for i := range c.layers {
		l := &c.layers[i]
		l.compareWeights(floats(c.twin[l.n.Out].Def.In[1]))
		l.measureBias()
		if d, ok := found[l.n.Out]; ok {
			l.ActivationSNR = decibels(d.signal, d.noise)
			l.Cosine = 1
			if d.signal > 0 && d.energy > 0 {
				l.Cosine = min(d.product/math.Sqrt(d.signal)/math.Sqrt(d.energy), 1)
			}
			l.Clipped = d.clipped / d.count
		}
	}
	return nil
}

// compareWeights says what has become of the layer's float weights.
func (l *layer) compareWeights(float []float32) {
	n := l.n
	axis, _ := n.OutputAxis()
	w, shape := n.In[1], n.In[1].Type.Shape
	alive, d := make([]bool, shape[axis]), difference{}
	after := realsOf(w.Type, w.Data)
	forChannels(shape, axis, func(channel, i int) {
		x, y := float64(float[i]), float64(after(i, channel))
		alive[channel] = alive[channel] || y != 0
		e := x - y
		d.signal, d.noise = d.signal+float64(x*x), d.noise+float64(e*e)
	})
	l.WeightSNR, l.DeadChannels = decibels(d.signal, d.noise), countFalse(alive)
}

func (l *layer) measureBias() {
	most := 0.0
	switch bias := l.n.In[2].Data.(type) {
	case []int32:
		most = farthest(bias)
	case []int64:
		most = farthest(bias)
	}
	l.BiasHeadroom = math.Log2(biasMost(l.n.In[0].Type.DType)+1) - math.Log2(most+1)
}

func farthest[T int32 | int64](integers []T) (most float64) {
	for _, i := range integers {
		most = max(most, math.Abs(float64(i)))
	}
	return most
}

// difference is how far the int8 values y of an activation are from the float values x.
type difference struct {
	count, clipped                 float64
	signal, energy, product, noise float64 // sums of x*x, y*y, x*y, (x-y)*(x-y)
}

func (d *difference) add(o difference) {
	d.count, d.clipped = d.count+o.count, d.clipped+o.clipped
	d.signal, d.energy, d.product, d.noise = d.signal+o.signal, d.energy+o.energy, d.product+o.product, d.noise+o.noise
}

// compare runs both networks over the samples and gives the difference of every int8 activation from its twin.
func (c *conversion) compare(samples [][]float32) (map[*graph.Value]difference, error) {
	in := c.g.Inputs[0]
	tensors := inputs(in.Type, samples)
	back := map[*graph.Value]*graph.Value{}
	for v, twin := range c.twin {
		if v.Type.DType != graph.Float32 && !v.Constant() {
			back[twin] = v
		}
	}
	parts := make([]map[*graph.Value]difference, len(samples))
	for i := range parts {
		parts[i] = map[*graph.Value]difference{}
	}
	// Some samples go through the float network, whose values are kept, and then through the other, which is compared.
	from, held := 0, []map[*graph.Value][]float32{}
	floats := newCrew(c.ctx, &c.works.packs, c.float, func(h *hand, twin *graph.Value, data any) {
		if v := back[twin]; v != nil {
			held[h.at][v] = append(held[h.at][v][:0], data.([]float32)...)
		}
	})
	ints := newCrew(c.ctx, &c.works.packs, c.g, func(h *hand, v *graph.Value, data any) {
		if x := held[h.at][v]; x != nil {
			switch y := data.(type) {
			case []int8:
				parts[from+h.at][v] = differ(x, y, v.Type)
			case []int16:
				parts[from+h.at][v] = differ(x, y, v.Type)
			}
		}
	})
	for step := mostAtOnce * len(floats.hand); from < len(samples); from += step {
		some := samples[from:min(from+step, len(samples))]
		for len(held) < len(some) {
			held = append(held, map[*graph.Value][]float32{})
		}
		if err := floats.feed(some); err != nil {
			return nil, err
		}
		if err := ints.each(len(some), func(i int) []any { return tensors[from+i:][:1] }, nil); err != nil {
			return nil, err
		}
	}
	total := map[*graph.Value]difference{}
	for _, p := range parts { // in the samples' order, so that sums are the same
		for v, d := range p {
			t := total[v]
			t.add(d)
			total[v] = t
		}
	}
	return total, nil
}

// differ compares one tensor: x real, q integers of type t.
func differ[T int8 | int16](x []float32, q []T, t graph.Type) difference {
	scale, zero := t.Quant.At(0)
	span := spanOf(t)
	lo, hi := span.Min-scale/2, span.Max+scale/2
	var signal, energy, product, noise float64 // not in d, so that they stay in registers
	clipped := 0
	for i, real := range x[:len(q)] {
		a, b := float64(real), float64(quant.Dequantize(int32(q[i]), scale, zero))
		e := a - b
		signal += float64(a * a)
		energy += float64(b * b)
		product += float64(a * b)
		noise += float64(e * e)
		if real < lo || real > hi {
			clipped++
		}
	}
	return difference{float64(len(x)), float64(clipped), signal, energy, product, noise}
}

// inputs are the samples as a graph's input of this type takes them.
func inputs(t graph.Type, samples [][]float32) []any {
	tensors := make([]any, len(samples))
	for i, x := range samples {
		tensors[i] = asInput(t, x)
	}
	return tensors
}
