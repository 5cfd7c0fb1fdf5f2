package graph

import (
	"fmt"
	"slices"
)

// Level says which rules a graph keeps. Each pass of package convert takes one level and gives the same or the next.
type Level uint8

const (
	// Float is the network as trained: float32 throughout, BatchNorm and Activate as nodes.
	Float Level = iota
	// Folded has no BatchNorm. An activation is fused into the operator before it wherever that can take it, after the
	// pass that does it; the file of another tool may have more of them as nodes.
	Folded
	// Ranged is Folded with the real interval of every activation known.
	Ranged
	// Quantized has integer operators (any node may still be wholly float, between Dequantize and Quantize).
	Quantized
)

var levels = [...]string{"float", "folded", "ranged", "quantized"}

func (l Level) String() string { return levels[l] }

// Graph is a network with its place in the world: names, labels, what its input means.
type Graph struct {
	Name    string
	Level   Level
	Inputs  []*Value
	Nodes   []*Node // execution order
	Outputs []*Value
	Meta    Meta
}

// Meta is what a model says about itself beside its arithmetic. Zero fields are unknown.
type Meta struct {
	Description string
	Version     string
	Author      string
	License     string
	Labels      []string          // one a class
	LabelsOf    int               // the number of the file's output that they are of
	Signature   Signature         // by which programs name inputs and outputs
	Mean, Std   []float32         // network input = (pixel - Mean) / Std, pixel 0..255; one value, or one a channel
	Extra       map[string][]byte // further named entries: the conversion's recipe
}

// Signature names a file's inputs and outputs for programs that call it so. Names not given are the tensors' own.
type Signature struct {
	Key             string // "": "serving_default"
	Inputs, Outputs []string
}

// Value is an edge of the graph.
type Value struct {
	Name  string
	Type  Type
	Data  any       // of a constant, row-major: a slice of Type's element type (int8 for Int4). Immutable: replace it, don't write to it
	Range *Interval // at level Ranged: the real values an activation takes
	Def   *Node     // nil for graph inputs and constants
	Uses  []*Node   // a node that uses the value twice stands here twice
}

// Interval is a closed interval of real numbers.
type Interval struct{ Min, Max float32 }

// Node is one operation.
type Node struct {
	Op  Op
	In  []*Value
	Out *Value
}

// New returns an empty graph at level Float.
func New(name string) *Graph { return &Graph{Name: name} }

// Input adds a graph input.
func (g *Graph) Input(name string, t Type) *Value {
	v := &Value{Name: name, Type: t}
	g.Inputs = append(g.Inputs, v)
	return v
}

// Const returns a constant, which belongs to the graph once a node uses it. The length of data is Check's to verify.
func Const(name string, t Type, data any) *Value {
	return &Value{Name: name, Type: t, Data: data}
}

// Apply appends a node and returns the value it defines. Its element type and shape are inferred; the quantization is
// the caller's to set. Where inference fails the type is empty, and Check names the node.
func (g *Graph) Apply(name string, op Op, in ...*Value) *Value {
	n := &Node{Op: op, In: in}
	n.Out = &Value{Name: name, Def: n}
	for _, v := range in {
		v.Uses = append(v.Uses, n)
	}
	if t, err := n.Infer(); err == nil {
		n.Out.Type = t
	}
	g.Nodes = append(g.Nodes, n)
	return n.Out
}

// String is what errors call a node: conv2d "features.0".
func (n *Node) String() string {
	if n.Out == nil {
		return n.Op.Name()
	}
	return fmt.Sprintf("%s %q", n.Op.Name(), n.Out.Name)
}

// Infer is the element type and shape that the node's operator gives for its inputs, without quantization.
func (n *Node) Infer() (Type, error) {
	return infer(n.Op, types(n.In))
}

// SetInput makes v the node's input i, keeping the use lists.
func (n *Node) SetInput(i int, v *Value) {
	if i == len(n.In) {
		n.In = append(n.In, nil)
	} else {
		n.In[i].dropUse(n)
	}
	n.In[i] = v
	v.Uses = append(v.Uses, n)
}

// dropUse takes one use by n out, looking for it from the end: what was made last goes first where many go.
func (v *Value) dropUse(n *Node) {
	for i := len(v.Uses) - 1; i >= 0; i-- {
		if v.Uses[i] == n {
			v.Uses = slices.Delete(v.Uses, i, i+1)
			return
		}
	}
}

// Replace makes every use of old, as an input or as a graph output, a use of v.
func (g *Graph) Replace(old, v *Value) {
	uses := old.Uses
	old.Uses = nil
	for _, n := range uses {
		n.In[slices.Index(n.In, old)] = v
		v.Uses = append(v.Uses, n)
	}
	for i, o := range g.Outputs {
		if o == old {
			g.Outputs[i] = v
		}
	}
}

// Remove takes out a node whose value is no longer used.
func (g *Graph) Remove(n *Node) error {
	if len(n.Out.Uses) > 0 || slices.Contains(g.Outputs, n.Out) {
		return fmt.Errorf("graph: node %q is still used", n.Out.Name)
	}
	for _, v := range n.In {
		v.dropUse(n)
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(m *Node) bool { return m == n })
	return nil
}

// Unread is a value that a node computes and nobody reads, nil if there is none.
func (g *Graph) Unread() *Value {
	given := g.given()
	for _, n := range g.Nodes {
		if len(n.Out.Uses) == 0 && !given[n.Out] {
			return n.Out
		}
	}
	return nil
}

// given are the graph's outputs.
func (g *Graph) given() map[*Value]bool {
	given := map[*Value]bool{}
	for _, v := range g.Outputs {
		given[v] = true
	}
	return given
}

// RemoveUnread takes out the nodes whose values nobody reads, and then those that only they read.
func (g *Graph) RemoveUnread() {
	given := g.given()
	unread := map[*Node]bool{}
	for _, n := range slices.Backward(g.Nodes) { // who reads a value stands behind what gives it
		if len(n.Out.Uses) > 0 || given[n.Out] {
			continue
		}
		unread[n] = true
		for _, v := range n.In {
			v.dropUse(n)
		}
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *Node) bool { return unread[n] })
}

// Insert places a node that applies op to in right before next (at the end if next is nil) and returns its value.
func (g *Graph) Insert(next *Node, name string, op Op, in ...*Value) *Value {
	v := g.Apply(name, op, in...)
	if at := slices.Index(g.Nodes, next); at >= 0 {
		last := len(g.Nodes) - 1
		g.Nodes = slices.Insert(g.Nodes[:last], at, v.Def)
	}
	return v
}

// Constant reports whether the value is a constant.
func (v *Value) Constant() bool { return v.Data != nil }

// Values returns every value once: the inputs, then for each node its constants and what it defines.
func (g *Graph) Values() []*Value {
	seen := map[*Value]bool{}
	var vs []*Value
	add := func(v *Value) {
		if v != nil && !seen[v] { // nil: what Check is to find
			seen[v] = true
			vs = append(vs, v)
		}
	}
	for _, v := range g.Inputs {
		add(v)
	}
	for _, n := range g.Nodes {
		for _, v := range n.In {
			add(v)
		}
		add(n.Out)
	}
	return vs
}
