package convert

import (
	"context"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mnet-edge/graph"
)

// roundWeights decides for each weight of a layer whether it is rounded up or down, so that the layer's sums, not
// its weights, come nearest to the float ones. With r the rounding errors of an output channel's weights and x the
// inputs they meet, the expected square error of the sum is
//
//	E[(r x)^2] = r H r^T,  H = E[x x^T]
//
// Nearest rounding makes every r small; what counts is that they cancel where the inputs go together. Where the bias will be
// corrected, a constant error costs nothing, and H is the covariance, E[x x^T] - E[x] E[x]^T. H is measured on
// the integer inputs that the layer gets in the quantized network; then single weights go to their other neighbour as
// long as one of these moves lowers the error. Source of the objective: Nagel et al., "Up or Down? Adaptive Rounding
// for Post-Training Quantization", 2020, equations 13 to 20; there it is relaxed and minimized by gradients, here by
// coordinate descent, which is exact about the integers and gives the same answer everywhere.
func (c *conversion) roundWeights(n *graph.Node, data []any) error {
	wanted, ok := c.twin[n.Out]
	_, conv := n.Op.(graph.Conv2D)
	if v := newView(n); !ok || conv && !v.square {
		return nil
	}
	x := make([][]int16, len(data))
	if err := parallel(c.ctx, len(x), func(i int) { x[i] = centred(data[i], n.In[0].Type.Quant) }); err != nil {
		return err
	}
	_, depthwise := n.Op.(graph.DepthwiseConv2D)
	l := newPatches(n, x)
	if !depthwise && l.depth > maxTaps {
		return nil
	}
	w, real := n.In[1], floats(wanted.Def.In[1])
	q := slices.Clone(w.Data.([]int8))
	covariance := c.recipe.CorrectBias == On
	var shared []float64
	if !depthwise {
		shared = make([]float64, l.depth*l.depth)
		if err := parallel(c.ctx, l.depth, func(j int) { l.correlate(shared, j, 0, 1, l.depth) }); err != nil {
			return err
		}
		if covariance {
			l.centre(shared, 0, 1, l.depth)
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
			if covariance {
				l.centre(h, o/(channels/in), in, taps)
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
}

// maxTaps bounds H, which is 42 MB at 3 x 3 x 256: the weights of filters with more taps stay at the nearest.
const maxTaps = 2304

// roundWork is about how many multiply-accumulates roundWeights takes, each counted as often as one in a run of the network
// fits into its time: its loops use no wide registers.
func roundWork(g *graph.Graph) (macs float64) {
	const scalar = 12
	for _, n := range g.Nodes {
		if _, depthwise := n.Op.(graph.DepthwiseConv2D); weighted(n) && !depthwise {
			channels := lastDim(n.Out)
			taps := n.In[1].Type.Elements() / channels
			if taps <= maxTaps {
				macs += scalar * float64(taps*taps) * float64(maxPatchRows/2+channels)
			}
		}
	}
	return macs
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
	v := newView(n)
	p := &patches{depth: v.taps()}
	total := len(x) * v.positions()
	every := max((total+maxPatchRows-1)/maxPatchRows, (total*p.depth+maxPatchInputs-1)/maxPatchInputs, 1)
	for at := every / 2; at < total; at += every {
		column, row := at%v.ow, at/v.ow%v.oh
		image, sample := at/(v.ow*v.oh)%v.images, at/v.positions()
		patch := make([]int16, p.depth)
		for ky := range v.kh {
			for kx := range v.kw {
				y := row*v.stride[0] - v.before[0] + ky*v.dilation[0]
				x0 := column*v.stride[1] - v.before[1] + kx*v.dilation[1]
				if y < 0 || y >= v.h || x0 < 0 || x0 >= v.w {
					continue
				}
				from := x[sample][((image*v.h+y)*v.w+x0)*v.c:][:v.c]
				copy(patch[(ky*v.kw+kx)*v.c:], from)
			}
		}
		p.rows = append(p.rows, patch)
	}
	return p
}

// centre makes the covariance of H, both as sums over the patches, of the inputs first, first+step, ... of each.
func (p *patches) centre(h []float64, first, step, taps int) {
	sums := make([]float64, taps)
	for _, patch := range p.rows {
		for k := range sums {
			sums[k] += float64(patch[first+k*step])
		}
	}
	for j, a := range sums {
		for k, b := range sums {
			h[j*taps+k] -= float64(a*b) / float64(len(p.rows))
		}
	}
}

// correlate computes row j of H, (taps, taps), from the diagonal on, and with it column j, of the inputs first,
// first+step, ... of each patch: sums of integers, and so exact. No sum of maxPatchRows products leaves int32.
func (p *patches) correlate(h []float64, j, first, step, taps int) {
	sum := make([]int32, taps-j)
	for _, patch := range p.rows {
		a := int32(patch[first+j*step])
		if a == 0 {
			continue
		}
		if step == 1 {
			other := patch[first+j : first+taps][:len(sum)]
			for k, b := range other {
				sum[k] += a * int32(b)
			}
			continue
		}
		for k := range sum {
			sum[k] += a * int32(patch[first+(j+k)*step])
		}
	}
	for k, s := range sum {
		h[j*taps+j+k], h[(j+k)*taps+j] = float64(s), float64(s)
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
