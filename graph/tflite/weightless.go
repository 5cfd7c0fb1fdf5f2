package tflite

import (
	"fmt"
	"math"
	"slices"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// The codecs of the operators without weights: arithmetic, pools, resizing, rearrangement.

// subVersion is 5 for int16 of any scales, and 3 where more than 4 dimensions are repeated.
func subVersion(n *graph.Node) int {
	if n.In[0].Type.DType == graph.Int16 {
		return 5
	}
	if repeats(n) {
		return 3
	}
	return byType(n)
}

// repeats reports whether one of a node's two inputs is repeated along more than 4 dimensions.
func repeats(n *graph.Node) bool {
	a, b := n.In[0].Type.Shape, n.In[1].Type.Shape
	return max(len(a), len(b)) > 4 && !slices.Equal(a, b)
}

// mulVersion is 4 for int16, and 3 where the product's steps are wider than the result's.
func mulVersion(n *graph.Node) int {
	if n.In[0].Type.DType == graph.Int16 {
		return 4
	}
	a, b, out := n.In[0].Type.Quant, n.In[1].Type.Quant, n.Out.Type.Quant
	if a != nil && b != nil && out != nil && float32(a.Scale[0]*b.Scale[0])/out.Scale[0] >= 1 {
		return 3
	}
	return byType(n)
}

func encodeArithmetic(n *graph.Node) (obj, []*graph.Value) {
	op := n.Op.(graph.Arithmetic)
	options := obj{arithmeticActivation: encodeActivation(op.Act)}
	if (op.Fn == graph.Add || op.Fn == graph.Sub) && n.Out.Type.DType == graph.Int16 {
		options = append(options, flag(false))
	}
	return options, nil
}

func decodeArithmetic(f graph.BinaryFunc) func(*call) (graph.Op, error) {
	return func(c *call) (graph.Op, error) {
		act, err := c.activation(arithmeticActivation)
		if (f == graph.Add || f == graph.Sub) && c.out.DType == graph.Int16 && c.powers() {
			return nil, fmt.Errorf("int16 with scales that are powers of two: %w", ErrUnsupported)
		}
		return graph.Arithmetic{Fn: f, Act: act}, err
	}
}

// powers reports whether an addition of int16 is one by shifts: where nothing forbids it and all scales are powers of two.
func (c *call) powers() bool {
	if len(c.in) != 2 || c.options.has(arithmeticPower) && !c.options.bool(arithmeticPower) {
		return false
	}
	for _, q := range []*quant.Params{c.in[0].Type.Quant, c.in[1].Type.Quant, c.out.Quant} {
		if q == nil {
			return false
		}
		if f, _ := math.Frexp(float64(q.Scale[0])); f != 0.5 {
			return false
		}
	}
	return true
}

func encodePool(n *graph.Node) (obj, []*graph.Value) {
	o := n.Op.(graph.Pool)
	return windowOptions(o.Window, obj{
		poolWidth: int32(o.Size[1]), poolWidth + 1: int32(o.Size[0]), poolActivation: encodeActivation(o.Act),
	}), nil
}

func decodePool(f graph.PoolFunc) func(*call) (graph.Op, error) {
	return func(c *call) (graph.Op, error) {
		w, err := c.window()
		if err != nil {
			return nil, err
		}
		act, err := c.activation(poolActivation)
		size := [2]int{int(c.options.int32(poolWidth + 1)), int(c.options.int32(poolWidth))}
		return graph.Pool{Fn: f, Window: w, Size: size, Act: act}, err
	}
}

func encodeConcat(n *graph.Node) (obj, []*graph.Value) {
	return obj{concatAxis: int32(n.Op.(graph.Concat).Axis)}, nil
}

func decodeConcat(c *call) (graph.Op, error) {
	if err := c.linear(concatActivation); err != nil {
		return nil, err
	}
	axis := int(c.options.int32(concatAxis))
	if axis < 0 {
		axis += len(c.in[0].Type.Shape)
	}
	return graph.Concat{Axis: axis}, nil
}

func encodeLeaky(n *graph.Node) (obj, []*graph.Value) {
	return obj{leakyAlpha: n.Op.(graph.LeakyReLU).Alpha}, nil
}

func decodeLeaky(c *call) (graph.Op, error) {
	return graph.LeakyReLU{Alpha: c.options.float32(leakyAlpha)}, nil
}

func encodeSoftmax(n *graph.Node) (obj, []*graph.Value) {
	return obj{softmaxBeta: n.Op.(graph.Softmax).Beta}, nil
}

func decodeSoftmax(c *call) (graph.Op, error) {
	return graph.Softmax{Beta: c.options.float32(softmaxBeta)}, nil
}

func encodeTranspose(n *graph.Node) (obj, []*graph.Value) {
	perm := n.Op.(graph.Transpose).Perm
	return obj{}, []*graph.Value{operand(n, "perm", perm)}
}

func decodeTranspose(c *call) (graph.Op, error) {
	perm, err := c.attribute("perm")
	for i, p := range perm {
		if p < 0 {
			perm[i] += len(perm)
		}
	}
	return graph.Transpose{Perm: perm}, err
}

func transposeVersion(n *graph.Node) int {
	switch rank := len(n.In[0].Type.Shape); {
	case rank > 5:
		return 6
	case n.In[0].Type.DType == graph.Int16:
		return 5
	case rank > 4:
		return 4
	}
	return byType(n)
}

// A resize's size is its second input; the two kinds number their other attributes differently.

func bilinearVersion(n *graph.Node) int {
	switch {
	case n.In[0].Type.DType == graph.Int16:
		return 4
	case n.Op.(graph.Resize).HalfPixel:
		return 3
	}
	return byType(n)
}

func nearestVersion(n *graph.Node) int {
	switch o := n.Op.(graph.Resize); {
	case n.In[0].Type.DType == graph.Int16:
		return 4
	case o.HalfPixel || o.AlignCorners:
		return 3
	}
	return byType(n)
}

// encodeResize: corners is the number of align_corners; half_pixel_centers follows.
func encodeResize(corners int) func(*graph.Node) (obj, []*graph.Value) {
	return func(n *graph.Node) (obj, []*graph.Value) {
		o := n.Op.(graph.Resize)
		options := make(obj, corners+2)
		options[corners], options[corners+1] = o.AlignCorners, o.HalfPixel
		return options, []*graph.Value{operand(n, "size", o.Size[:])}
	}
}

func decodeResize(f graph.ResizeFunc, corners int) func(*call) (graph.Op, error) {
	return func(c *call) (graph.Op, error) {
		size, err := c.attribute("size")
		if err == nil && len(size) != 2 {
			err = fmt.Errorf("size %v", size)
		}
		if err != nil {
			return nil, err
		}
		return graph.Resize{Fn: f, Size: [2]int(size), AlignCorners: c.options.bool(corners), HalfPixel: c.options.bool(corners + 1)}, nil
	}
}

// decodeSqueeze makes a reshape of what takes out dimensions of 1.
func decodeSqueeze(c *call) (graph.Op, error) {
	return graph.Reshape{Shape: c.out.Shape}, nil
}

// decodeExpandDims makes a reshape of what puts in a dimension of 1.
func decodeExpandDims(c *call) (graph.Op, error) {
	_, err := c.attribute("axis")
	return graph.Reshape{Shape: c.out.Shape}, err
}

func encodeGelu(n *graph.Node) (obj, []*graph.Value) {
	return obj{geluApproximate: n.Op == graph.Op(graph.Unary{Fn: graph.GeluTanh})}, nil
}

func decodeGelu(c *call) (graph.Op, error) {
	if c.options.bool(geluApproximate) {
		return graph.Unary{Fn: graph.GeluTanh}, nil
	}
	return graph.Unary{Fn: graph.Gelu}, nil
}
