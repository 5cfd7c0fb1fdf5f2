package native

import (
	"fmt"
	"slices"

	"mnet-edge/graph"
	"mnet-edge/infer"
	"mnet-edge/quant"
)

// plan is a graph made ready: its steps in order, over buffers in one arena. It is for one goroutine at a time.
type plan struct {
	arena   []byte
	nodes   []*graph.Node // of the graph
	steps   []step
	phases  [][]*phase // the steps', in stretches; for one thread, all in one
	in, out *buffer
	team    *team // nil for one thread
}

// step computes one node, and with it those fused into it.
type step struct {
	value *graph.Value // what it leaves in out
	out   *buffer
	work  work

	stretches int // of the plan's, if they are its own
}

// threads is how many run it.
func (p *plan) threads() int { return p.team.size() }

func (p *plan) run() {
	if p.team != nil {
		p.team.watch()
		return
	}
	for _, phases := range p.phases {
		do(phases, 0)
	}
}

// close ends the team.
func (p *plan) close() {
	if p.team != nil {
		p.team.close()
	}
}

// planHooks let tests say where memory comes from; nil is the usual. The others are for tests and profiles.
type planHooks struct {
	place  func([]*buffer) (size int)
	memory func(n int) []byte // zeros, from a multiple of bufferStep
	apart  bool               // no two steps in one stretch
	share  bool               // with helpers, whatever these are worth
}

// maxArena bounds the arena, so that offsets fit an int32, and maxTables all tables of offsets beside it, in bytes: a hostile
// file cannot ask for all memory.
const (
	maxArena  = 1 << 29
	maxTables = 1 << 28
)

// newPlan prepares g. Errors wrap infer.ErrModel for a graph that is wrong and infer.ErrUnavailable for one that this
// engine cannot run.
func newPlan(g *graph.Graph, family Family, r quant.Rounding, threads int, hooks planHooks) (_ *plan, err error) {
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("native: %w: %w", infer.ErrModel, err)
	}
	if hooks.place == nil {
		hooks.place = place
	}
	if hooks.memory == nil {
		hooks.memory = aligned
	}
	c := compiler{
		kernels: family.kernels(), rounding: r, hooks: hooks,
		buffers: map[*graph.Value]*buffer{}, zeros: map[byte]*buffer{}, pads: map[*graph.Value]*graph.Node{},
		outputs: g.Outputs, end: len(g.Nodes),
	}
	c.team = newTeam(threads)
	p := &plan{nodes: g.Nodes}
	for _, v := range g.Inputs {
		b := c.alloc(v)
		b.first, b.last = 0, c.end // another Invoke may come without another Write
	}
	for i, n := range g.Nodes {
		c.step = i
		work, err := c.node(n)
		if err == nil {
			err = c.afford()
		}
		if err != nil {
			return nil, fmt.Errorf("native: %s: %w: %w", n, infer.ErrUnavailable, err)
		}
		before := len(c.phases.stretches)
		c.moments = append(c.moments, c.phases.add(work, hooks.apart))
		if work != nil {
			p.steps = append(p.steps, step{n.Out, c.buffers[n.Out], work, len(c.phases.stretches) - before})
		}
	}
	c.moments = append(c.moments, span{c.phases.moments, c.phases.moments})
	p.in, p.out = c.buffers[g.Inputs[0]], c.buffers[g.Outputs[0]]
	p.out.last = c.end
	return p, c.bind(p)
}

// compiler turns nodes into functions. Everything is decided here, once; the functions only compute.
type compiler struct {
	kernels  *kernels
	rounding quant.Rounding
	team     *team
	hooks    planHooks
	outputs  []*graph.Value

	step, end int
	buffers   map[*graph.Value]*buffer
	all       []*buffer
	afforded  int                          // how many of all are counted in size
	size      int                          // bytes of memory that these take
	tables    int                          // bytes of tables of offsets
	zeros     map[byte]*buffer             // constant inputs of the taps in the padding, by their byte
	pads      map[*graph.Value]*graph.Node // pads that their reader takes upon itself
	late      []func()                     // what needs the buffers' places
	arena     []byte                       // known when late runs
	phases    schedule
	moments   []span // of the schedule's, which the steps begin and end with
}

// charge counts a table that a node keeps, or will.
func (c *compiler) charge(bytes int) { c.tables += bytes }

// afford reports that the nodes until now take too much.
func (c *compiler) afford() error {
	for ; c.afforded < len(c.all); c.afforded++ {
		c.size += roundUp(c.all[c.afforded].size, bufferStep)
	}
	switch {
	case c.size > maxArena:
		return fmt.Errorf("the tensors until here take more than %d bytes", maxArena)
	case c.tables > maxTables:
		return fmt.Errorf("the tables of offsets until here take more than %d bytes", maxTables)
	}
	return nil
}

// bind gives the buffers their memory.
func (c *compiler) bind(p *plan) error {
	c.afforded, c.size = 0, 0 // once more: what zeros grew to since they were counted counts too
	if err := c.afford(); err != nil {
		return fmt.Errorf("native: %w: %w", infer.ErrUnavailable, err)
	}
	for _, b := range c.all {
		b.first, b.last = c.moments[b.first].first, c.moments[b.last].last
	}
	c.arena = c.hooks.memory(c.hooks.place(c.all))
	p.arena = c.arena
	for _, b := range c.all {
		b.data = p.arena[b.offset:][:b.size:b.size]
	}
	for value, b := range c.zeros {
		for i := range b.data {
			b.data[i] = value
		}
	}
	for _, f := range c.late {
		f()
	}
	p.phases = c.phases.stretches
	if c.phases.sharing {
		p.team = c.team
		p.team.start(p.phases, c.hooks.share)
	}
	return nil
}

// add makes b one of the arena's, in use at the present step.
func (c *compiler) add(b *buffer) *buffer {
	b.first, b.last = c.step, c.step
	c.all = append(c.all, b)
	return b
}

// scratch is a buffer of the present step that keeps its content between runs.
func (c *compiler) scratch(size int) *buffer {
	b := c.add(&buffer{size: size})
	b.first, b.last = 0, c.end
	return b
}

// zero is a buffer of at least size bytes of a value.
func (c *compiler) zero(value byte, size int) *buffer {
	b := c.zeros[value]
	if b == nil {
		b = c.scratch(0)
		c.zeros[value] = b
	}
	b.size = max(b.size, size)
	return b
}

func (c *compiler) alloc(v *graph.Value) *buffer {
	b := newBuffer(v.Type)
	c.buffers[v] = c.add(b.pitch(c.stride(v, b)))
	return b
}

// stride is how many bytes a pixel of v has in b. Where the channels are few they are less than pixelStep, if what writes
// and reads v does not mind: the kernels of depthwise convolutions want 32, and others write 16.
func (c *compiler) stride(v *graph.Value, b *buffer) int {
	input, narrow := v.Def == nil, c.kernels.narrow && b.channels <= 16
	switch {
	case b.dtype == graph.UInt8 && narrow && b.channels == 3: // to become an int8 image
		return 4
	case b.dtype != graph.Int8:
		return b.stride
	case input && b.channels <= 4 && !(narrow && b.channels == 3):
		return b.channels
	case !narrow || depthwise(v.Def) || slices.ContainsFunc(v.Uses, depthwise) || c.wide(v.Def):
		return b.stride
	case b.channels > 4 || !input && !elementwise(v.Def):
		return 16
	}
	return 4
}

// depthwise reports whether n is a depthwise convolution, or comes before one and should not change the layout.
func depthwise(n *graph.Node) bool {
	if n == nil {
		return false
	}
	_, is := n.Op.(graph.DepthwiseConv2D)
	_, pads := n.Op.(graph.Pad) // it may become part of one
	return is || (pads || elementwise(n)) && slices.ContainsFunc(n.Out.Uses, depthwise)
}

// wide reports whether n makes each element of those at the same place, of inputs that are not narrow.
func (c *compiler) wide(n *graph.Node) bool {
	return n != nil && elementwise(n) && slices.ContainsFunc(n.In, func(v *graph.Value) bool {
		b := c.buffers[v]
		return b != nil && b.dtype == graph.Int8 && b.stride == pixelStep
	})
}

// elementwise reports whether each element of n's result is made of those at the same place.
func elementwise(n *graph.Node) bool {
	switch n.Op.(type) {
	case graph.Quantize, graph.Activate, graph.Unary, graph.Arithmetic:
		return true
	}
	return false
}

// read is the buffer of a value that the present step reads.
func (c *compiler) read(v *graph.Value) (*buffer, error) {
	b := c.buffers[v]
	if b == nil {
		return nil, fmt.Errorf("input %q is a constant", v.Name)
	}
	b.last = max(b.last, c.step)
	return b, nil
}

// readInt8 is read for what computes in int8 only.
func (c *compiler) readInt8(v *graph.Value) (*buffer, error) {
	b, err := c.read(v)
	if err == nil {
		err = wantInt8(b.dtype)
	}
	return b, err
}

// wantInt8 refuses every other type.
func wantInt8(d graph.DType) error {
	if d != graph.Int8 {
		return fmt.Errorf("%v: this engine computes in int8", d)
	}
	return nil
}

// node returns what computes n, or nil if that is left to the reader of its value.
func (c *compiler) node(n *graph.Node) (work, error) {
	if op, ok := n.Op.(graph.Pad); ok && c.fusible(n, op) {
		c.pads[n.Out] = n
		return nil, nil
	}
	switch op := n.Op.(type) {
	case graph.Conv2D, graph.DepthwiseConv2D, graph.FullyConnected:
		return c.conv(n)
	case graph.Arithmetic:
		return c.arithmetic(n, op)
	case graph.Pool:
		return c.pool2D(n, op)
	case graph.Unary:
		return c.unary(n)
	case graph.Reshape, graph.Quantize, graph.Dequantize, graph.Activate, graph.Mean, graph.Pad:
	default:
		return c.borrow(n)
	}
	x, err := c.read(n.In[0])
	if err != nil {
		return nil, err
	}
	out := c.alloc(n.Out)
	switch n.Op.(type) {
	case graph.Reshape:
		return alone(func() { reshape(x, out) }), nil
	case graph.Quantize:
		return c.quantize(n, x, out)
	case graph.Dequantize:
		return c.dequantize(n, x, out)
	}
	if x.dtype != graph.Int8 || out.dtype != graph.Int8 {
		return nil, fmt.Errorf("%v to %v: this engine computes in int8", x.dtype, out.dtype)
	}
	switch op := n.Op.(type) {
	case graph.Activate: // XNNPACK leaves it to TFLite's kernel
		from, to := n.In[0].Type.Quant, n.Out.Type.Quant
		requant := quant.ActivationRequant(quant.Double, from.Scale[0], to.Scale[0])
		return c.lookup(x, out, shifted(requant, from, to, activation(quant.Double, op.Act, to))), nil
	case graph.Mean:
		return c.mean(n, op, x, out)
	}
	return alone(c.padded(n, n.Op.(graph.Pad), x, out)), nil
}

// fusible reports whether the pad n only surrounds images with zeros for the one convolution that reads it.
func (c *compiler) fusible(n *graph.Node, op graph.Pad) bool {
	v := n.Out
	if slices.Contains(c.outputs, v) || len(v.Uses) != 1 || v.Uses[0].In[0] != v ||
		v.Type.DType != graph.Int8 || len(v.Type.Shape) != 4 {
		return false
	}
	switch v.Uses[0].Op.(type) {
	case graph.Conv2D, graph.DepthwiseConv2D:
		return op.Before[0]|op.After[0]|op.Before[3]|op.After[3] == 0
	}
	return false
}
