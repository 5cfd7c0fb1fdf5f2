package graph

import (
	"errors"
	"fmt"
	"slices"

	"mnet-edge/quant"
)

// Check verifies the graph: every edge is mutual, definitions come before uses, types re-infer, constants hold as many
// elements as their shape says, and the rules of the graph's Level hold. The error names every fault found.
func (g *Graph) Check() error {
	c := checker{defined: map[*Value]bool{}, checked: map[*Value]bool{}}
	c.edges(g)
	for _, v := range g.Inputs {
		if v.Def != nil || v.Constant() || c.defined[v] {
			c.faultf("input %q is also defined elsewhere in the graph", v.Name)
		}
		c.value(v)
		c.defined[v] = true
	}
	for _, n := range g.Nodes {
		// The level's rules speak of inputs and types: of a node whose own are broken they would say nothing more.
		before := len(c.faults)
		if c.node(n); len(c.faults) == before {
			c.level(g.Level, n)
		}
	}
	for _, v := range g.Outputs {
		if !c.defined[v] {
			c.faultf("output %q is not defined", v.Name)
		}
	}
	if len(g.Inputs) == 0 || len(g.Outputs) == 0 {
		c.faultf("%d inputs, %d outputs", len(g.Inputs), len(g.Outputs))
	}
	if g.Level == Ranged {
		for _, v := range g.Values() {
			if !v.Constant() && (v.Range == nil || !(v.Range.Min <= v.Range.Max)) {
				c.faultf("%q has no range", v.Name)
			}
		}
	}
	if len(c.faults) == 0 {
		return nil
	}
	return fmt.Errorf("graph %q at level %v: %w", g.Name, g.Level, errors.Join(c.faults...))
}

type checker struct {
	defined map[*Value]bool // inputs, and what the nodes so far give
	checked map[*Value]bool // those whose type and data were looked at: many nodes may use one
	faults  []error
}

func (c *checker) faultf(format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf(format, args...))
}

// edges reports values that do not know each use by a node as often as that has them as inputs. Each edge is looked at once, of however many
// a file makes of one value.
func (c *checker) edges(g *Graph) {
	type edge struct {
		from *Value
		to   *Node
	}
	uses := map[edge]int{}
	for _, n := range g.Nodes {
		for _, v := range n.In {
			uses[edge{v, n}]++
		}
	}
	values := g.Values()
	for _, v := range values {
		for _, n := range v.Uses {
			uses[edge{v, n}]--
		}
	}
	for _, v := range values {
		for _, n := range v.Uses {
			if uses[edge{v, n}] < 0 {
				c.faultf("%q knows %s as a use, which does not use it", v.Name, n)
				uses[edge{v, n}] = 0
			}
		}
	}
	for _, n := range g.Nodes {
		for _, v := range n.In {
			if v != nil && uses[edge{v, n}] > 0 {
				c.faultf("%s uses %q, which does not know it", n, v.Name)
				uses[edge{v, n}] = 0
			}
		}
	}
}

func (c *checker) value(v *Value) {
	if c.checked[v] {
		return
	}
	c.checked[v] = true
	if err := v.Type.check(); err != nil {
		c.faultf("%q: %w", v.Name, err)
		return
	}
	if v.Constant() {
		if err := v.Type.checkData(v.Data); err != nil {
			c.faultf("constant %q: %w", v.Name, err)
		}
	}
}

func (c *checker) node(n *Node) {
	if n.Out == nil || n.Out.Def != n || n.Out.Constant() {
		c.faultf("node %s does not define its output", n.Op.Name())
		return
	}
	if slices.Contains(n.In, nil) {
		c.faultf("%s lacks an input", n)
		return
	}
	if c.defined[n.Out] {
		c.faultf("%q is defined twice", n.Out.Name)
	}
	for _, v := range n.In {
		switch {
		case v.Constant():
			c.value(v)
		case !c.defined[v]:
			c.faultf("%s uses %q before its definition", n, v.Name)
		}
	}
	t, err := n.Infer()
	if err != nil {
		c.faultf("%s: %w", n, err)
	} else if t.DType != n.Out.Type.DType || !slices.Equal(t.Shape, n.Out.Type.Shape) {
		c.faultf("%s is %v%v, inferred %v%v", n, n.Out.Type.DType, n.Out.Type.Shape, t.DType, t.Shape)
	}
	c.value(n.Out)
	c.defined[n.Out] = true
}

// level checks what the graph's level asks of one node.
func (c *checker) level(l Level, n *Node) {
	fail := func(what string) { c.faultf("%s: %s", n, what) }
	if _, ok := n.Op.(BatchNorm); ok && l > Float {
		fail("not folded")
	}
	if l < Quantized {
		for _, v := range append([]*Value{n.Out}, n.In...) {
			if v.Type.DType != Float32 {
				fail("not float32")
				return
			}
		}
		return
	}
	if err := n.Form(); err != nil {
		fail(err.Error())
	}
}

// Form says what keeps a node, whose inputs its operator takes, from having a form at level Quantized: of its types and their quantization.
// A node of float32 throughout has one.
func (n *Node) Form() error {
	x, out := n.In[0], n.Out.Type
	switch n.Op.(type) {
	case Quantize:
		if out.Quant == nil {
			return errors.New("result without quantization")
		}
		if x.Type.DType == Int16 && out.DType == UInt8 {
			return errors.New("int16 becomes uint8 by way of int8 alone")
		}
		return nil
	case Dequantize:
		if x.Type.DType == Float16 && !x.Constant() {
			return errors.New("float16 that is no constant")
		}
		if x.Type.DType != Float16 && x.Type.Quant == nil {
			return errors.New("input without quantization")
		}
		return nil
	}
	if out.DType == Float32 {
		return n.checkFloat()
	}
	return n.checkInteger()
}

// checkFloat: a node that gives float32 takes float32, but for integer weights, for which its kernel turns the
// activation into integers as it comes (hybrid, or dynamic range, quantization).
func (n *Node) checkFloat() error {
	in := n.In
	if axis, ok := n.OutputAxis(); ok && n.In[1].Type.DType != Float32 {
		if w := n.In[1].Type.DType; w != Int8 {
			return fmt.Errorf("%v weights for float32: want int8", w)
		}
		if err := n.checkSymmetric(axis); err != nil {
			return err
		}
		in = append(slices.Clone(in[:1]), in[2:]...)
	}
	for _, v := range in {
		if v.Type.DType != Float32 {
			return errors.New("mixes float32 and integers")
		}
	}
	return nil
}

// checkInteger holds an integer node to the TFLite quantization specification.
func (n *Node) checkInteger() error {
	in := n.In
	axis, weighted := n.OutputAxis()
	if weighted {
		in = in[:1]
	}
	out := n.Out.Type
	if err := IntegerForm(n.Op, out.DType); err != nil {
		return err
	}
	for _, t := range append(types(in), out) {
		if t.Quant == nil || len(t.Quant.Scale) != 1 {
			return errors.New("an activation needs one scale and zero point")
		}
		if t.DType != Int8 && t.DType != Int16 {
			return fmt.Errorf("%v activation: want int8 or int16", t.DType)
		}
		if t.DType == Int16 && t.Quant.Zero[0] != 0 {
			return errors.New("an int16 activation is symmetric: want zero point 0")
		}
	}
	if weighted {
		return n.checkWeights(axis)
	}
	if q := FixedQuant(n.Op, out.DType); q != nil && !q.Equal(out.Quant) {
		return fmt.Errorf("result with quantization %s: want %s", quantText(out.Quant), quantText(q))
	}
	for _, t := range types(in) {
		if n.SameQuant() && !t.Quant.Equal(out.Quant) {
			return errors.New("changes the quantization")
		}
	}
	return nil
}

func types(vs []*Value) []Type {
	ts := make([]Type, len(vs))
	for i, v := range vs {
		ts[i] = v.Type
	}
	return ts
}

// checkSymmetric: quantized weights without zero points, per tensor or per channel along axis.
func (n *Node) checkSymmetric(axis int) error {
	w := n.In[1].Type
	if w.Quant == nil {
		return errors.New("weights without quantization")
	}
	if len(w.Quant.Scale) > 1 && w.Quant.Axis != axis {
		return fmt.Errorf("weight scales along axis %d: want %d", w.Quant.Axis, axis)
	}
	for _, z := range w.Quant.Zero {
		if z != 0 {
			return errors.New("weights are not symmetric")
		}
	}
	return nil
}

// checkWeights: symmetric int8 weights (int4 for int8 activations), and a bias of int32 (of int64 for int16
// activations) whose scale is the product of the input's and the weight's in float32.
func (n *Node) checkWeights(axis int) error {
	x, w, bias := n.In[0].Type.DType, n.In[1].Type, BiasType(n.In[0].Type.DType)
	if w.DType != Int8 && !(w.DType == Int4 && x == Int8) {
		return fmt.Errorf("%v weights for %v: want int8", w.DType, x)
	}
	if err := n.checkSymmetric(axis); err != nil {
		return err
	}
	if len(n.In) < 3 {
		return errors.New("no bias") // TFLite's int8 kernels and XNNPACK insist on one
	}
	b := n.In[2].Type
	if b.DType != bias || b.Quant == nil || len(b.Quant.Scale) != len(w.Quant.Scale) {
		return fmt.Errorf("bias is not %v with as many scales as the weights", bias)
	}
	for c, s := range b.Quant.Scale {
		if s != BiasScale(n.In[0].Type.Quant, w.Quant, c) || b.Quant.Zero[c] != 0 {
			return fmt.Errorf("bias scale %v of channel %d is not input scale x weight scale", s, c)
		}
	}
	return nil
}

// BiasType is the element type of the bias beside an integer activation: it holds the sum of products.
func BiasType(x DType) DType {
	if x == Int16 {
		return Int64
	}
	return Int32
}

// BiasQuant is the quantization of a bias, and of the accumulator, beside an input and weights: see BiasScale.
func BiasQuant(x, w *quant.Params) *quant.Params {
	scales := make([]float32, len(w.Scale))
	for c := range scales {
		scales[c] = BiasScale(x, w, c)
	}
	return quant.PerChannel(scales, 0)
}

// BiasScale is the scale of the bias (and of the accumulator) of channel c: the float32 product of the input's and the
// weight's scale.
func BiasScale(x, w *quant.Params, c int) float32 {
	sw, _ := w.At(c)
	return float32(x.Scale[0] * sw)
}
