package interp

import (
	"errors"
	"fmt"
	"sync"

	"mnet-edge/graph"
)

// compiler turns nodes into functions over buffers. All decisions are taken here, once; the functions only compute.
type compiler struct {
	Options
	buffers *buffers
	data    map[*graph.Value]any  // the buffer of each input and computed value, the data of each constant
	fixed   map[*graph.Value]bool // computed values that are the same in every run: constants dequantized
}

// Packs keeps weights as the wide kernels want them, so that machines with the same weights lay them out once. It is for
// any number of goroutines, and holds on to all that it was given.
type Packs struct {
	mutex sync.Mutex
	all   map[packKey]any
}

type packKey struct {
	weights             any // the address of the first
	filters, taps, deep int
}

// packed is what pack makes of a convolution's weights, the first time that it is asked for.
func packed[W, X any](c *compiler, g *window, weights []W, pack func() []X) []X {
	if c.Packs == nil {
		return pack()
	}
	c.Packs.mutex.Lock()
	defer c.Packs.mutex.Unlock()
	key := packKey{&weights[0], g.oc, g.kh * g.kw, g.depth}
	p, ok := c.Packs.all[key].([]X)
	if !ok {
		if p = pack(); c.Packs.all == nil {
			c.Packs.all = map[packKey]any{}
		}
		c.Packs.all[key] = p
	}
	return p
}

// alloc gives v its buffer.
func (c *compiler) alloc(v *graph.Value) (err error) {
	c.data[v], err = c.buffers.take(v)
	return err
}

// node allocates n's value and returns what computes it.
func (c *compiler) node(n *graph.Node) (run func(), err error) {
	if err := c.alloc(n.Out); err != nil {
		return nil, err
	}
	for _, v := range n.In {
		if v.Constant() {
			c.data[v] = v.Data
		}
	}
	switch op := n.Op.(type) {
	case graph.Quantize:
		return c.quantize(n)
	case graph.Dequantize:
		return c.dequantize(n)
	case graph.Pad:
		return c.pad(n, op)
	case graph.Reshape:
		x, out := c.data[n.In[0]], c.data[n.Out]
		return func() { assign(out, x) }, nil
	case graph.Arithmetic:
		return c.arithmetic(n, op)
	case graph.Unary:
		return c.unary(n, op)
	case graph.LeakyReLU:
		return c.leakyReLU(n, op)
	case graph.PReLU:
		return c.floatPair(n, prelu)
	case graph.Pair:
		return c.floatPair(n, floatPairs[op.Fn])
	case graph.Softmax:
		return c.softmax(n, op)
	case graph.Pool:
		return c.pool(n, op)
	case graph.Concat:
		return c.concat(n, op)
	case graph.Transpose, graph.Slice, graph.SpaceToDepth, graph.DepthToSpace, graph.MirrorPad, graph.Tile:
		return c.rearrange(n)
	case graph.Reduce:
		return c.reduce(n, op)
	case graph.BatchMatMul:
		return c.batchMatMul(n, op)
	case graph.TransposeConv2D:
		return c.transposeConv(n, op)
	case graph.Resize:
		return c.resize(n, op)
	}
	switch n.Out.Type.DType {
	case graph.Float32:
		return c.float(n)
	case graph.Int16:
		return c.int16Node(n)
	}
	return c.integer(n)
}

// weights are the node's constant operands: weight and, where it has one, bias.
func weights[W, B any](c *compiler, n *graph.Node) (w []W, bias []B, err error) {
	for _, v := range n.In[1:] {
		if !v.Constant() && !c.fixed[v] {
			return nil, nil, fmt.Errorf("weight %q is not a constant", v.Name)
		}
	}
	w, ok := c.data[n.In[1]].([]W)
	if ok && len(n.In) > 2 {
		bias, ok = c.data[n.In[2]].([]B)
	}
	if !ok {
		return nil, nil, errors.New("weights and input differ in type")
	}
	return w, bias, nil
}

// window is the geometry of a convolution: x is (n, h, w, c), the result (n, oh, ow, oc), a filter (kh, kw, depth).
// depth < c makes c/depth groups; group k has the input channels from k*depth and oc/groups of the filters. A depthwise
// convolution has depth 1, but the filters' channels last in memory.
type window struct {
	n, h, w, c    int
	oh, ow, oc    int
	kh, kw, depth int
	stride        [2]int // {height, width}, as the next two
	dilation      [2]int
	before        [2]int // zeros before the data
}

// newWindow is the geometry and the activation of a Conv2D, DepthwiseConv2D or FullyConnected node.
func newWindow(n *graph.Node) (w window, act graph.Activation) {
	x, filter, out := n.In[0].Type.Shape, n.In[1].Type.Shape, n.Out.Type.Shape
	slide := func(op graph.Window, depth int) window {
		w := window{
			n: x[0], h: x[1], w: x[2], c: x[3],
			oh: out[1], ow: out[2], oc: out[3],
			kh: filter[1], kw: filter[2], depth: depth,
			stride: op.Stride, dilation: op.Dilation,
		}
		for i := range 2 {
			_, w.before[i] = op.Out(i, x[1+i], filter[1+i])
		}
		return w
	}
	switch op := n.Op.(type) {
	case graph.Conv2D:
		return slide(op.Window, filter[3]), op.Act
	case graph.DepthwiseConv2D:
		return slide(op.Window, 1), op.Act
	case graph.FullyConnected: // the 1x1 convolution of 1x1 images
		depth := filter[1]
		return window{
			n: n.In[0].Type.Elements() / depth, h: 1, w: 1, c: depth,
			oh: 1, ow: 1, oc: filter[0],
			kh: 1, kw: 1, depth: depth,
			stride: [2]int{1, 1}, dilation: [2]int{1, 1},
		}, op.Act
	}
	return window{}, graph.Linear
}

// at is the position in a row or column of x that tap k of the window at position o sees; ok is false in the padding.
func (g *window) at(axis, o, k int) (pos int, ok bool) {
	pos = o*g.stride[axis] - g.before[axis] + k*g.dilation[axis]
	return pos, pos >= 0 && pos < [2]int{g.h, g.w}[axis]
}

// group is the first input channel that output channel o sees.
func (g *window) group(o int) int {
	perGroup := g.oc / (g.c / g.depth)
	return o / perGroup * g.depth
}

// x0 is the offset in x of the pixel (y, x) of image n; out0 that of the result's.
func (g *window) x0(n, y, x int) int   { return ((n*g.h+y)*g.w + x) * g.c }
func (g *window) out0(n, y, x int) int { return ((n*g.oh+y)*g.ow + x) * g.oc }
