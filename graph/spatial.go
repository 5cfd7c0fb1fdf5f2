package graph

import (
	"fmt"
	"slices"
)

// PoolFunc is what a Pool takes of a window.
type PoolFunc uint8

const (
	Average PoolFunc = iota // the mean of the elements that are not padding
	Max                     // the largest
)

// ResizeFunc is how a Resize finds the value at a position between elements.
type ResizeFunc uint8

const (
	Bilinear ResizeFunc = iota // weighs the four elements around it
	Nearest                    // takes the nearest element
)

// The operators that choose, move or mix elements without scaling them: an integer one has one quantization throughout.
type (
	// Pool slides a window of Size {height, width} over x (N, H, W, C), each channel on its own.
	Pool struct {
		Fn PoolFunc
		Window
		Size [2]int
		Act  Activation
	}
	// Concat joins any number of inputs along Axis; they agree in the other dimensions.
	Concat struct{ Axis int }
	// Transpose makes dimension Perm[i] of the input dimension i of the result.
	Transpose struct{ Perm []int }
	// Resize scales the images of x (N, H, W, C) to Size {height, width}. Source: TFLite's ComputeInterpolationValues.
	Resize struct {
		Fn           ResizeFunc
		Size         [2]int
		AlignCorners bool // the corners' elements keep their places
		HalfPixel    bool // an element lies in the middle of its square; not with AlignCorners
	}
)

func (o Pool) Name() string    { return [...]string{Average: "average_pool", Max: "max_pool"}[o.Fn] }
func (Concat) Name() string    { return "concat" }
func (Transpose) Name() string { return "transpose" }
func (o Resize) Name() string {
	return [...]string{Bilinear: "resize_bilinear", Nearest: "resize_nearest"}[o.Fn]
}

func (o Pool) attrs() string {
	return " size=" + pair(o.Size) + o.Window.attrs() + o.Act.attrs()
}
func (o Concat) attrs() string    { return fmt.Sprintf(" axis=%d", o.Axis) }
func (o Transpose) attrs() string { return fmt.Sprintf(" perm=%v", o.Perm) }

func (o Resize) attrs() string { // the result's shape says the size
	s := ""
	if o.AlignCorners {
		s += " align_corners"
	}
	if o.HalfPixel {
		s += " half_pixel"
	}
	return s
}

// SameQuant reports whether an integer node must have one quantization for its inputs and its result: it moves
// elements or picks among them, and has nothing to rescale them with.
func (n *Node) SameQuant() bool {
	switch op := n.Op.(type) {
	case Pad, Reshape, Pool, Concat, Transpose, Resize, Slice, SpaceToDepth, DepthToSpace, MirrorPad, Tile:
		return true
	case Reduce:
		return op.Fn != Sum
	}
	return false
}

func (o Pool) shape(in []Type) ([]int, error) {
	x := in[0]
	if len(x.Shape) != 4 {
		return nil, fmt.Errorf("input %v: want 4 dimensions", x.Shape)
	}
	for _, k := range o.Size {
		if k < 1 || k > maxWindow {
			return nil, fmt.Errorf("window %v: want 1 to %d", o.Size, maxWindow)
		}
	}
	if o.Dilation != [2]int{1, 1} {
		return nil, fmt.Errorf("dilation %v", o.Dilation)
	}
	return o.slide(x.Shape, o.Size, x.Shape[3], nil)
}

func (o Concat) shape(in []Type) ([]int, error) {
	if len(in) == 0 {
		return nil, fmt.Errorf("no inputs")
	}
	shape := slices.Clone(in[0].Shape)
	if o.Axis < 0 || o.Axis >= len(shape) {
		return nil, fmt.Errorf("axis %d of input %v", o.Axis, shape)
	}
	for _, t := range in[1:] {
		if t.DType != in[0].DType || len(t.Shape) != len(shape) {
			return nil, fmt.Errorf("%v%v beside %v%v", t.DType, t.Shape, in[0].DType, in[0].Shape)
		}
		for i, d := range t.Shape {
			switch {
			case i == o.Axis && d <= MaxElements: // a larger one is refused elsewhere
				shape[i] = min(shape[i]+d, MaxElements+1)
			case i == o.Axis || d != shape[i]:
				return nil, fmt.Errorf("%v beside %v along axis %d", t.Shape, in[0].Shape, o.Axis)
			}
		}
	}
	return shape, nil
}

func (o Transpose) shape(in []Type) ([]int, error) {
	x := in[0].Shape
	var shape []int
	for i, p := range o.Perm {
		if p < 0 || p >= len(x) || slices.Contains(o.Perm[:i], p) {
			return nil, fmt.Errorf("permutation %v of input %v", o.Perm, x)
		}
		shape = append(shape, x[p])
	}
	if len(shape) != len(x) {
		return nil, fmt.Errorf("permutation %v of input %v", o.Perm, x)
	}
	return shape, nil
}

func (o Resize) shape(in []Type) ([]int, error) {
	x := in[0].Shape
	if len(x) != 4 {
		return nil, fmt.Errorf("input %v: want 4 dimensions", x)
	}
	if o.AlignCorners && o.HalfPixel {
		return nil, fmt.Errorf("both align_corners and half_pixel")
	}
	for i, to := range o.Size {
		// The integer kernels count in steps of 2^-10 within an int32.
		if most := maxWindow; to < 1 || to > most || x[1+i] > most {
			return nil, fmt.Errorf("%v to %v: want sides of 1 to %d", x, o.Size, most)
		}
	}
	return []int{x[0], o.Size[0], o.Size[1], x[3]}, nil
}
