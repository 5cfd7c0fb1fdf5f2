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
	key := packKey{&weights[0], g.OC, g.KH * g.KW, g.Depth}
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
		return c.transposeConv(n)
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

// weights are the node's constant operands: weight and bias, zeros where it has none.
func weights[W, B any](c *compiler, n *graph.Node) (w []W, bias []B, err error) {
	for _, v := range n.In[1:] {
		if !v.Constant() && !c.fixed[v] {
			return nil, nil, fmt.Errorf("weight %q is not a constant", v.Name)
		}
	}
	w, ok := c.data[n.In[1]].([]W)
	if len(n.In) > 2 && ok {
		bias, ok = c.data[n.In[2]].([]B)
	} else {
		shape := n.Out.Type.Shape
		bias = make([]B, shape[len(shape)-1])
	}
	if !ok {
		return nil, nil, errors.New("weights and input differ in type")
	}
	return w, bias, nil
}

// window is the geometry of a convolution, with what the kernels here want of it.
type window struct{ graph.Geometry }

// newWindow is the geometry and the activation of a node with weights.
func newWindow(n *graph.Node) (w window, act graph.Activation) {
	w.Geometry, _ = n.Geometry()
	return w, n.Op.(graph.Activated).Fused()
}

// x0 is the offset in x of the pixel (y, x) of image n; out0 that of the result's.
func (g *window) x0(n, y, x int) int   { return ((n*g.H+y)*g.W + x) * g.C }
func (g *window) out0(n, y, x int) int { return ((n*g.OH+y)*g.OW + x) * g.OC }
