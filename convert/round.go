package convert

import (
	"context"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mnet-edge/graph"
	"mnet-edge/graph/interp"
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
	v := newView(n)
	if !ok || v.Depth < v.C && !v.Depthwise { // grouped
		return nil
	}
	x := make([][]int16, len(data))
	if err := parallel(c.ctx, len(x), func(i int) { x[i] = centred(data[i], n.In[0].Type.Quant) }); err != nil {
		return err
	}
	l := newPatches(n, x)
	if !v.Depthwise && l.depth > maxTaps {
		return nil
	}
	w, real := n.In[1], floats(wanted.Def.In[1])
	q := slices.Clone(w.Data.([]int8))
	axis, _ := n.OutputAxis()
	channels := w.Type.Shape[axis]
	scale := func(o int) float64 {
		s, _ := w.Type.Quant.At(o)
		return float64(s)
	}
	var err error
	if most := weightMost(w.Type.DType); v.Depthwise {
		err = l.roundChannels(c, q, real, channels, most, scale)
	} else {
		err = l.roundFilters(c, q, real, channels, most, scale)
	}
	if err != nil {
		return err
	}
	n.SetInput(1, graph.Const(w.Name, w.Type, q))
	return nil
}

// roundFilters rounds filters that all see the same inputs: q and real are (filters, depth).
func (p *patches) roundFilters(c *conversion, q []int8, real []float32, filters int, most int32, scale func(o int) float64) error {
	x := make([]float32, len(p.rows)*p.depth) // (depth, rows)
	for k, patch := range p.rows {
		for j, v := range patch {
			x[j*len(p.rows)+k] = float32(v)
		}
	}
	if c.recipe.CorrectBias == On {
		centre(x, len(p.rows))
	}
	h, err := products(x, x, len(p.rows))
	if err != nil {
		return err
	}
	errors := make([]float32, len(q))
	for o := range filters {
		s := scale(o)
		for j := o * p.depth; j < (o+1)*p.depth; j++ {
			errors[j] = float32(float64(q[j]) - float64(real[j])/s)
		}
	}
	slopes, err := products(errors, h, p.depth) // H is symmetric
	if err != nil {
		return err
	}
	return parallel(c.ctx, filters, func(o int) {
		from, to := o*p.depth, (o+1)*p.depth
		settle(q[from:to], errors[from:to], slopes[from:to], most, h)
	})
}

// roundChannels rounds the filters of a depthwise layer, each of which sees one channel: q and real are (taps, channels).
func (p *patches) roundChannels(c *conversion, q []int8, real []float32, channels int, most int32, scale func(o int) float64) error {
	taps := len(q) / channels
	in := p.depth / taps
	return parallel(c.ctx, channels, func(o int) {
		x := make([]float32, taps*len(p.rows)) // (taps, rows)
		for k, patch := range p.rows {
			for j := range taps {
				x[j*len(p.rows)+k] = float32(patch[j*in+o/(channels/in)])
			}
		}
		if c.recipe.CorrectBias == On {
			centre(x, len(p.rows))
		}
		h := make([]float32, taps*taps)
		for j := range taps {
			for k := range taps {
				h[j*taps+k] = dot(x[j*len(p.rows):][:len(p.rows)], x[k*len(p.rows):])
			}
		}
		filter, errors, slopes := make([]int8, taps), make([]float32, taps), make([]float32, taps)
		for j := range taps {
			filter[j] = q[j*channels+o]
			errors[j] = float32(float64(filter[j]) - float64(real[j*channels+o])/scale(o))
		}
		for j := range taps {
			slopes[j] = dot(h[j*taps:][:taps], errors)
		}
		settle(filter, errors, slopes, most, h)
		for j, w := range filter {
			q[j*channels+o] = w
		}
	})
}

func dot(a, b []float32) (sum float32) {
	for i, x := range a {
		sum += float32(x * b[i])
	}
	return sum
}

// products are those of each row of a with each row of b, rows of so many numbers: (rows of a, rows of b). The interpreter makes them: it is quick, and
// has the same bits everywhere.
func products(a, b []float32, row int) ([]float32, error) {
	rows, columns := len(a)/row, len(b)/row
	out := make([]float32, rows*columns)
	var packs interp.Packs
	each := (rows + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	var group errgroup.Group
	for from := 0; from < rows; from += each {
		group.Go(func() error {
			n := min(each, rows-from)
			g := graph.New("products")
			x, w := g.Input("a", float32Type(n, row)), graph.Const("b", float32Type(columns, row), b)
			g.Outputs, g.Level = []*graph.Value{g.Apply("products", graph.FullyConnected{}, x, w)}, graph.Folded
			m, err := interp.New(g, interp.Options{Packs: &packs})
			if err != nil {
				return err
			}
			got, err := m.Run(a[from*row : (from+n)*row])
			if err == nil {
				copy(out[from*columns:], got[0].([]float32))
			}
			return err
		})
	}
	return out, group.Wait()
}

// maxTaps bounds H, which is 21 MB at 3 x 3 x 256: the weights of filters with more taps stay at the nearest.
const maxTaps = 2304

// roundWork is about how many multiply-accumulates roundWeights takes: those for H and for the slopes, and moves, which use no wide registers
// and are counted as often as one in a run of the network fits into their time.
func roundWork(g *graph.Graph) (macs float64) {
	const moves = 4
	for _, n := range g.Nodes {
		if _, depthwise := n.Op.(graph.DepthwiseConv2D); weighted(n) && !depthwise {
			channels := lastDim(n.Out)
			taps := n.In[1].Type.Elements() / channels
			if taps <= maxTaps {
				macs += float64(taps*taps) * float64(maxPatchRows/2+(1+moves)*channels)
			}
		}
	}
	return macs
}

// settle moves the weights q of one output channel, which are errors away from the real ones in units of their scale, to the neighbour on
// the real one's other side, within ±most, until no single move lowers r H r^T. slope is H r.
func settle(q []int8, errors, slope []float32, most int32, h []float32) {
	const sweeps = 50
	taps := len(q)
	for _, r := range errors {
		if r > 1 || r < -1 {
			return // the scale was not this weight's: a floor kept it apart
		}
	}
	for range sweeps {
		moved := false
		for j := range taps {
			d := float32(1)
			if errors[j] > 0 {
				d = -1
			}
			to := int32(q[j]) + int32(d)
			if to < -most || to > most || float32(2*d*slope[j])+h[j*taps+j] >= 0 {
				continue
			}
			moved = true
			q[j], errors[j] = int8(to), errors[j]+d
			row := h[j*taps:][:len(slope)] // H is symmetric
			for k, x := range row {
				slope[k] += float32(d * x)
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
		column, row := at%v.OW, at/v.OW%v.OH
		image, sample := at/(v.OW*v.OH)%v.N, at/v.positions()
		patch := make([]int16, p.depth)
		for ky := range v.KH {
			for kx := range v.KW {
				y, inY := v.At(0, row, ky)
				x0, inX := v.At(1, column, kx)
				if !inY || !inX {
					continue
				}
				from := x[sample][((image*v.H+y)*v.W+x0)*v.C:][:v.C]
				copy(patch[(ky*v.KW+kx)*v.C:], from)
			}
		}
		p.rows = append(p.rows, patch)
	}
	return p
}

// centre takes its mean from each row of x.
func centre(x []float32, row int) {
	for ; len(x) > 0; x = x[row:] {
		sum := 0.
		for _, v := range x[:row] {
			sum += float64(v)
		}
		mean := float32(sum / float64(row))
		for i := range x[:row] {
			x[i] -= mean
		}
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
