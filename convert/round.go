package convert

import (
	"context"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mnet-edge/graph"
)

// roundWeights is the pass that decides for each weight whether it is rounded up or down, so that a layer's sums, not
// its weights, come nearest to the float ones. With r the rounding errors of an output channel's weights and x the
// inputs they meet, the expected square error of the sum is
//
//	E[(r x)^2] = r H r^T,  H = E[x x^T]
//
// Nearest rounding makes every r small; what counts is that they cancel where the inputs go together. H is measured on
// the integer inputs that the layer gets in the quantized network; then single weights go to their other neighbour as
// long as one of these moves lowers the error. Source of the objective: Nagel et al., "Up or Down? Adaptive Rounding
// for Post-Training Quantization", 2020, equations 13 to 20; there it is relaxed and minimized by gradients, here by
// coordinate descent, which is exact about the integers and gives the same answer everywhere.
func roundWeights(c *conversion) error {
	return c.eachLayer(c.refining(), func(n *graph.Node, x [][]int16) error {
		wanted, ok := c.twin[n.Out]
		if !ok || !ungrouped(n) {
			return nil
		}
		_, depthwise := n.Op.(graph.DepthwiseConv2D)
		l := newPatches(n, x)
		if !depthwise && l.depth > maxTaps {
			return nil
		}
		w, real := n.In[1], floats(wanted.Def.In[1])
		q := slices.Clone(w.Data.([]int8))
		var shared []float64
		if !depthwise {
			shared = make([]float64, l.depth*l.depth)
			if err := parallel(c.ctx, l.depth, func(j int) { l.correlate(shared, j, 0, 1, l.depth) }); err != nil {
				return err
			}
		}
		axis, _ := outputAxis(n.Op)
		channels := w.Type.Shape[axis]
		err := parallel(c.ctx, channels, func(o int) {
			// A channel's weights are at first, first+step, ...
			first, step, taps, h := o*l.depth, 1, l.depth, shared
			if depthwise {
				in := lastDim(n.In[0])
				first, step, taps = o, channels, l.depth/in
				h = make([]float64, taps*taps)
				for j := range taps {
					l.correlate(h, j, o/(channels/in), in, taps)
				}
			}
			s, _ := w.Type.Quant.At(o)
			settle(q, real, first, step, taps, weightMost(w.Type.DType), float64(s), h)
		})
		if err != nil {
			return err
		}
		n.SetInput(1, graph.Const(w.Name, w.Type, q))
		return nil
	})
}

// maxTaps bounds H, which is 42 MB at 3 x 3 x 256: the weights of filters with more taps stay at the nearest.
const maxTaps = 2304

// roundWork is about how many multiply-accumulates roundWeights takes.
func roundWork(g *graph.Graph) (macs float64) {
	for _, n := range g.Nodes {
		if _, depthwise := n.Op.(graph.DepthwiseConv2D); weighted(n) && !depthwise {
			channels := lastDim(n.Out)
			taps := n.In[1].Type.Elements() / channels
			if taps <= maxTaps {
				macs += float64(taps * taps * (maxPatchRows + channels))
			}
		}
	}
	return macs
}

// ungrouped reports whether every filter of a convolution sees all channels, or one.
func ungrouped(n *graph.Node) bool {
	_, conv := n.Op.(graph.Conv2D)
	return !conv || lastDim(n.In[1]) == lastDim(n.In[0])
}

// settle moves the taps weights q[first], q[first+step], ... of one output channel, of scale s, between the integers
// next to real/s, within ±most, until no single move lowers r H r^T.
func settle(q []int8, real []float32, first, step, taps int, most int32, s float64, h []float64) {
	const sweeps = 50
	r, slope := make([]float64, taps), make([]float64, taps) // slope = H r
	for j := range taps {
		at := first + j*step
		r[j] = float64(q[at]) - float64(real[at])/s
		if r[j] > 1 || r[j] < -1 {
			return // the scale was not this weight's: a floor kept it apart
		}
	}
	for j := range taps {
		row := h[j*taps : (j+1)*taps]
		for k, x := range r {
			slope[j] += float64(row[k] * x)
		}
	}
	for range sweeps {
		moved := false
		for j := range taps {
			at, d := first+j*step, 1.0
			if r[j] > 0 {
				d = -1
			}
			to := int32(q[at]) + int32(d)
			if to < -most || to > most || float64(2*d*slope[j])+h[j*taps+j] >= 0 {
				continue
			}
			moved = true
			q[at], r[j] = int8(to), r[j]+d
			row := h[j*taps : (j+1)*taps] // H is symmetric
			for k, x := range row {
				slope[k] += float64(d * x)
			}
		}
		if !moved {
			return
		}
	}
}

// patches are what a layer's filters see: for some positions of the output, the inputs under the window in the order
// of the weights (ky, kx, channel), less the zero point.
type patches struct {
	depth int
	rows  [][]int16
}

// The positions are spread evenly over samples and images, and bounded in memory (inputs) and in work (rows).
const maxPatchInputs, maxPatchRows = 1 << 22, 4096

func newPatches(n *graph.Node, x [][]int16) *patches {
	in, out, w := n.In[0].Type.Shape, n.Out.Type.Shape, n.In[1].Type.Shape
	images, h, width, channels := n.In[0].Type.Elements()/lastDim(n.In[1]), 1, 1, lastDim(n.In[1]) // fully connected
	oh, ow, kh, kw := 1, 1, 1, 1
	window := graph.Dense(1, graph.Valid)
	switch op := n.Op.(type) {
	case graph.Conv2D:
		window = op.Window
	case graph.DepthwiseConv2D:
		window = op.Window
	}
	var before [2]int
	if _, fully := n.Op.(graph.FullyConnected); !fully {
		images, h, width, channels, oh, ow, kh, kw = in[0], in[1], in[2], in[3], out[1], out[2], w[1], w[2]
		_, before[0] = window.Out(0, h, kh)
		_, before[1] = window.Out(1, width, kw)
	}
	p := &patches{depth: kh * kw * channels}
	total := len(x) * images * oh * ow
	every := max((total+maxPatchRows-1)/maxPatchRows, (total*p.depth+maxPatchInputs-1)/maxPatchInputs, 1)
	for at := every / 2; at < total; at += every {
		column, row := at%ow, at/ow%oh
		image, sample := at/(ow*oh)%images, at/(ow*oh)/images
		patch := make([]int16, p.depth)
		for ky := range kh {
			for kx := range kw {
				y := row*window.Stride[0] - before[0] + ky*window.Dilation[0]
				x0 := column*window.Stride[1] - before[1] + kx*window.Dilation[1]
				if y < 0 || y >= h || x0 < 0 || x0 >= width {
					continue
				}
				from := x[sample][((image*h+y)*width+x0)*channels:][:channels]
				copy(patch[(ky*kw+kx)*channels:], from)
			}
		}
		p.rows = append(p.rows, patch)
	}
	return p
}

// correlate computes row j of H, (taps, taps), of the inputs first, first+step, ... of each patch: sums of integers, and
// so exact.
func (p *patches) correlate(h []float64, j, first, step, taps int) {
	sum := make([]int64, taps)
	for _, patch := range p.rows {
		a := int64(patch[first+j*step])
		if a == 0 {
			continue
		}
		for k := range sum {
			sum[k] += a * int64(patch[first+k*step])
		}
	}
	for k, s := range sum {
		h[j*taps+k] = float64(s)
	}
}

// parallel runs f(0) to f(n-1) on all processors, in any order.
func parallel(ctx context.Context, n int, f func(i int)) error {
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				f(i)
			}
		})
	}
	return group.Wait()
}
