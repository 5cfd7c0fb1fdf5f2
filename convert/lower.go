package convert

import (
	"fmt"

	"mnet-edge/graph"
	"mnet-edge/model"
)

// Lower writes the checkpoint's network as a graph at level Float: one input (1, Size, Size, 3), normalized as
// Checkpoint.Input says, one output (1, Classes) of logits. Values are named after the layers that define them.
func Lower(c *model.Checkpoint) (*graph.Graph, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	l := lowering{g: graph.New(c.Spec.Name()), c: c}
	l.g.Meta = graph.Meta{
		Description: fmt.Sprintf("%s, width %v: %d classes of %dx%d RGB images; the output is logits",
			title(c.Spec.Net), c.Spec.Width, c.Spec.Classes, c.Spec.Size, c.Spec.Size),
		Labels: c.Labels,
		Mean:   []float32{c.Input.Mean},
		Std:    []float32{c.Input.Std},
	}
	x := l.g.Input("input", float32Type(1, c.Spec.Size, c.Spec.Size, 3))
	if size := c.Spec.Inner(); size > c.Spec.Size {
		x = l.g.Apply("enlarged", graph.Resize{Fn: graph.Bilinear, Size: [2]int{size, size}, HalfPixel: true}, x)
	}
	for _, layer := range c.Spec.Layers() {
		if layer.Kind == model.Linear {
			x = l.g.Apply("pool", graph.Mean{Axes: []int{1, 2}}, x)
			x = l.g.Apply("logits", graph.FullyConnected{}, x, l.param(layer.Name+".weight"), l.param(layer.Name+".bias"))
			continue
		}
		x = l.convolution(x, layer)
	}
	l.g.Outputs = []*graph.Value{x}
	if err := l.g.Check(); err != nil {
		return nil, fmt.Errorf("convert: lowering: %w", err)
	}
	return l.g, nil
}

func title(n model.Net) string {
	if n == model.NetP {
		return "pooled net " + string(n)
	}
	return "MobileNet, net " + string(n)
}

type lowering struct {
	g *graph.Graph
	c *model.Checkpoint
}

func float32Type(shape ...int) graph.Type {
	return graph.Type{DType: graph.Float32, Shape: shape}
}

// convolution is padding, the convolution, batch normalization, the activation and pooling, each a node.
func (l lowering) convolution(x *graph.Value, layer model.Layer) *graph.Value {
	window := graph.Dense(layer.Stride, graph.Same)
	if l.c.Spec.Padding == model.PadSymmetric && layer.Kernel == 3 {
		around := []int{0, 1, 1, 0}
		x = l.g.Apply(layer.Name+".pad", graph.Pad{Before: around, After: around}, x)
		window.Padding = graph.Valid
	}
	var op graph.Op = graph.Conv2D{Window: window}
	if layer.Kind == model.Depthwise {
		op = graph.DepthwiseConv2D{Window: window}
	}
	x = l.g.Apply(layer.Name, op, x, l.kernel(layer))
	x = l.g.Apply(layer.BN, graph.BatchNorm{Eps: model.BNEpsilon}, x,
		l.param(layer.BN+".weight"), l.param(layer.BN+".bias"), l.param(layer.BN+".running_mean"), l.param(layer.BN+".running_var"))
	if layer.ReLU {
		x = l.g.Apply(layer.Name+".relu", graph.Activate{Act: graph.ReLU}, x)
	}
	if k := layer.Pool; k > 1 {
		x = l.g.Apply(layer.Name+".pool", graph.Pool{Fn: graph.Max, Window: graph.Dense(k, graph.Valid), Size: [2]int{k, k}}, x)
	}
	return x
}

// param is a parameter whose layout is the same in both worlds.
func (l lowering) param(name string) *graph.Value {
	p := l.c.Weights[name]
	return graph.Const(name, float32Type(p.Shape...), p.Data)
}

// kernel is a convolution's weight, from PyTorch's (O, I, KH, KW) to (O, KH, KW, I), or for a depthwise one from
// (C, 1, KH, KW) to (1, KH, KW, C).
func (l lowering) kernel(layer model.Layer) *graph.Value {
	name := layer.Name + ".weight"
	src, k := l.c.Weights[name].Data, layer.Kernel
	dst := make([]float32, 0, len(src))
	if layer.Kind == model.Depthwise {
		for tap := range k * k {
			for c := range layer.Out {
				dst = append(dst, src[c*k*k+tap])
			}
		}
		return graph.Const(name, float32Type(1, k, k, layer.Out), dst)
	}
	for o := range layer.Out {
		for tap := range k * k {
			for i := range layer.In {
				dst = append(dst, src[(o*layer.In+i)*k*k+tap])
			}
		}
	}
	return graph.Const(name, float32Type(layer.Out, k, k, layer.In), dst)
}
