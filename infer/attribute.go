package infer

import (
	"slices"
	"strings"

	"mnet-edge/graph"
)

// NodePlace is where a runtime runs one of its nodes.
type NodePlace struct {
	Node      int // the number of the file's operator
	Partition int // of the delegate, -1 for the runtime's own kernel
}

// OperatorRun is what a runtime says of an operator as it runs.
type OperatorRun struct {
	Kernel    string
	Delegated bool
	Node      int // NodePlace.Node; of a delegate's operators, their own number, from 0 in each partition
}

// Attribute describes the graph's nodes by where they ran, and gives for each operator that ran, in their order, the node it
// belongs to, -1 for none: the last, where an operator of the file is several nodes. The delegate is taken for XNNPACK, the only one
// that tells of its operators.
func Attribute(g *graph.Graph, origins []int, places []NodePlace, ran []OperatorRun, delegate string) (nodes []NodeTime, owner []int) {
	nodes = make([]NodeTime, len(g.Nodes))
	for i, n := range g.Nodes {
		nodes[i] = NodeTime{Name: n.Out.Name, Op: n.Op.Name()}
	}
	byNode := map[int][]int{}    // the runtime's node -> the graph's
	partition := map[int][]int{} // of the delegate -> the graph's nodes
	for at, origin := range origins {
		byNode[origin] = append(byNode[origin], at)
	}
	for _, p := range places {
		// The file's operators that only compute a shape are no node of the graph.
		for i, at := range byNode[p.Node] {
			nodes[at].Ran = NoDelegate
			if p.Partition >= 0 {
				nodes[at].Ran = delegate
				partition[p.Partition] = append(partition[p.Partition], at)
			} else if i+1 < len(byNode[p.Node]) {
				nodes[at].Kernel = "fused"
			}
		}
	}
	own := func(at int, kernel string) {
		owner = append(owner, at)
		switch {
		case at < 0:
		case nodes[at].Kernel == "":
			nodes[at].Kernel = kernel
		default:
			nodes[at].Kernel += " + " + kernel
		}
	}
	part, next := -1, 0
	for _, r := range ran {
		if !r.Delegated {
			at := -1
			if of := byNode[r.Node]; len(of) > 0 {
				at = of[len(of)-1]
			}
			own(at, r.Kernel)
			continue
		}
		if r.Node == 0 {
			part, next = part+1, 0
		}
		at := -1
		if in := partition[part]; len(in) > 0 {
			next = operatorsNode(g, in, next, r.Kernel)
			at = in[min(next, len(in)-1)]
			next++
		}
		own(at, r.Kernel)
		if at >= 0 && !implements(r.Kernel, g.Nodes[at].Op) {
			next-- // a step on the way to the node: the next operator is its too
		}
	}
	for i, n := range nodes {
		if n.Kernel == "" && n.Ran == delegate {
			nodes[i].Kernel = "fused"
		}
	}
	return nodes, owner
}

// operatorsNode is the place among nodes, from next on, of the one that an operator of XNNPACK implements; next if there
// is none: the operator helps with that node.
func operatorsNode(g *graph.Graph, nodes []int, next int, kernel string) int {
	for i := next; i < len(nodes); i++ {
		if implements(kernel, g.Nodes[nodes[i]].Op) {
			return i
		}
	}
	return next
}

// xnnpackNames are how the names of XNNPACK's operators begin, by graph.Op.Name. Source: XNNPACK's operator-type-defs.
var xnnpackNames = map[string][]string{
	"conv2d":           {"Convolution", "Fully Connected"},
	"depthwise_conv2d": {"Convolution"},
	"fully_connected":  {"Fully Connected"},
	"mean":             {"Mean", "Global Average Pooling", "Global Sum Pooling"},
	"average_pool":     {"Average Pooling", "Global Average Pooling"},
	"max_pool":         {"Max Pooling"},
	"add":              {"Add"},
	"sub":              {"Subtract"},
	"mul":              {"Multiply"},
	"pad":              {"Constant Pad"},
	"reshape":          {"Static Reshape", "Copy", "Reshape"},
	"concat":           {"Copy", "Concatenate"},
	"activate":         {"Clamp"},
	"hard_swish":       {"HardSwish"},
	"logistic":         {"Sigmoid"},
	"softmax":          {"Softmax", "SoftMax"},
	"transpose":        {"Transpose"},
	"resize_bilinear":  {"Resize Bilinear"},
	"quantize":         {"Convert"},
	"dequantize":       {"Convert"},
	"slice":            {"Slice", "Copy"},
	"space_to_depth":   {"Space To Depth"},
	"depth_to_space":   {"Depth To Space"},
	"batch_matmul":     {"Batch Matrix Multiply"},
	"transpose_conv2d": {"Deconvolution"},
	"sum":              {"Sum"},
	"reduce_max":       {"Reduce Max"},
	"reduce_min":       {"Reduce Min"},
}

func implements(kernel string, op graph.Op) bool {
	return slices.ContainsFunc(xnnpackNames[op.Name()], func(begins string) bool { return strings.HasPrefix(kernel, begins) })
}
