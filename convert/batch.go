package convert

import (
	"maps"
	"slices"

	"mnet-edge/graph"
)

// mostAtOnce and elementsAtOnce bound a batch: with eight samples a layer's weights are fetched once and used eight times, which
// is most of what there is to win; what a machine computes should still lie in a cache.
const mostAtOnce, elementsAtOnce = 8, 4 << 20

// batched is g for n samples at once, and of each of its values the one in g that it stands for: dimension 0 becomes n. The
// samples do not meet, and each gets the bits that it gets alone. nil where the graph has an operator in which they might.
func batched(g *graph.Graph, n int) (*graph.Graph, map[*graph.Value]*graph.Value) {
	for _, v := range g.Values() {
		if !v.Constant() && (len(v.Type.Shape) == 0 || v.Type.Shape[0] != 1) {
			return nil, nil
		}
	}
	if slices.ContainsFunc(g.Nodes, mixesSamples) {
		return nil, nil
	}
	b, twins := g.Clone()
	origin := map[*graph.Value]*graph.Value{}
	for v, twin := range maps.All(twins) {
		origin[twin] = v
		if !v.Constant() {
			twin.Type.Shape = slices.Clone(v.Type.Shape)
			twin.Type.Shape[0] = n
		}
	}
	for _, node := range b.Nodes {
		switch op := node.Op.(type) {
		case graph.Reshape:
			op.Shape = slices.Clone(op.Shape)
			op.Shape[0] = n
			node.Op = op
		case graph.Slice:
			op.Size = slices.Clone(op.Size)
			op.Size[0] = n
			op.Step = slices.Clone(op.Step)
			op.Step[0] = 1 // of one sample it said nothing
			node.Op = op
		}
	}
	if b.Check() != nil {
		return nil, nil
	}
	return b, origin
}

// mixesSamples reports whether a node is not known to treat each index of dimension 0 by itself.
func mixesSamples(n *graph.Node) bool {
	rank, varying := len(n.Out.Type.Shape), 0
	sameRank := true
	for _, v := range n.In {
		if !v.Constant() {
			varying++
			sameRank = sameRank && len(v.Type.Shape) == rank
		}
	}
	switch op := n.Op.(type) {
	case graph.Conv2D, graph.DepthwiseConv2D, graph.FullyConnected, graph.TransposeConv2D:
		return varying != 1
	case graph.Reshape, graph.Quantize, graph.Dequantize, graph.Activate, graph.Unary, graph.LeakyReLU, graph.Pool, graph.Resize,
		graph.Slice, graph.SpaceToDepth, graph.DepthToSpace:
		return varying == 0
	case graph.BatchNorm:
		return varying != 1
	case graph.Softmax, graph.L2Norm:
		return rank < 2
	case graph.BatchMatMul:
		return rank < 3 || !sameRank
	case graph.Arithmetic, graph.Pair, graph.PReLU:
		return !sameRank // else a dimension 0 would meet another one
	case graph.Mean:
		return op.Axes[0] == 0
	case graph.Reduce:
		return op.Axes[0] == 0
	case graph.Pad:
		return op.Before[0] > 0 || op.After[0] > 0
	case graph.MirrorPad:
		return op.Before[0] > 0 || op.After[0] > 0
	case graph.Tile:
		return op.Times[0] > 1
	case graph.Concat:
		return op.Axis == 0 || varying != len(n.In)
	case graph.Transpose:
		return op.Perm[0] != 0
	}
	return true
}

// atOnce is how many samples of n the hands of a crew of so many take at a time, so that all have about as many to do.
func atOnce(g *graph.Graph, n, hands int) int {
	elements := 1
	for _, v := range g.Values() {
		if !v.Constant() {
			elements += v.Type.Elements()
		}
	}
	most := max(min(mostAtOnce, elementsAtOnce/elements), 1)
	rounds := (n + hands*most - 1) / (hands * most)
	return max((n+hands*rounds-1)/max(hands*rounds, 1), 1)
}

// part is sample i of the n in a tensor.
func part(data any, i, n int) any {
	switch d := data.(type) {
	case []float32:
		return share(d, i, n)
	case []int8:
		return share(d, i, n)
	case []uint8:
		return share(d, i, n)
	case []int16:
		return share(d, i, n)
	}
	return nil
}

func share[T any](d []T, i, n int) []T {
	each := len(d) / n
	return d[i*each : (i+1)*each]
}

// join puts samples behind one another into a tensor of their own.
func join(samples []any) any {
	switch samples[0].(type) {
	case []float32:
		return joined[float32](samples)
	case []int8:
		return joined[int8](samples)
	case []uint8:
		return joined[uint8](samples)
	case []int16:
		return joined[int16](samples)
	}
	return nil
}

func joined[T any](samples []any) []T {
	all := make([]T, 0, len(samples)*len(samples[0].([]T)))
	for _, s := range samples {
		all = append(all, s.([]T)...)
	}
	return all
}
