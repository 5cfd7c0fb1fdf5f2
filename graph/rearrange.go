package graph

import (
	"fmt"
	"slices"
)

// The operators whose every element is an element of the input, in another place: Pad, Reshape, Concat, Transpose and
// the nearest Resize are others.
type (
	// Slice takes Size[i] elements of dimension i, from Begin[i] on, Step[i] apart. A step may be negative, so that the
	// whole of a dimension, from its end on, is its reversal.
	Slice struct{ Begin, Size, Step []int }
	// SpaceToDepth makes Block x Block neighbours of an image (N, H, W, C) the channels of one: (N, H/Block, W/Block,
	// C*Block^2).
	SpaceToDepth struct{ Block int }
	// DepthToSpace is SpaceToDepth's inverse.
	DepthToSpace struct{ Block int }
	// MirrorPad surrounds dimension i with Before[i] and After[i] elements: those behind its border, mirrored. The border
	// itself is repeated where Symmetric.
	MirrorPad struct {
		Before, After []int
		Symmetric     bool
	}
	// Tile repeats dimension i Times[i] times.
	Tile struct{ Times []int }
)

func (o Slice) Name() string {
	if o.dense() {
		return "slice"
	}
	return "strided_slice"
}
func (SpaceToDepth) Name() string { return "space_to_depth" }
func (DepthToSpace) Name() string { return "depth_to_space" }
func (MirrorPad) Name() string    { return "mirror_pad" }
func (Tile) Name() string         { return "tile" }

// dense reports whether a slice leaves out nothing between its first and last elements.
func (o Slice) dense() bool {
	return !slices.ContainsFunc(o.Step, func(s int) bool { return s != 1 })
}

func (o Slice) attrs() string { // the result's shape says the size
	s := fmt.Sprintf(" begin=%v", o.Begin)
	if !o.dense() {
		s += fmt.Sprintf(" step=%v", o.Step)
	}
	return s
}
func (o SpaceToDepth) attrs() string { return fmt.Sprintf(" block=%d", o.Block) }
func (o DepthToSpace) attrs() string { return fmt.Sprintf(" block=%d", o.Block) }
func (o Tile) attrs() string         { return fmt.Sprintf(" times=%v", o.Times) }

func (o MirrorPad) attrs() string {
	s := Pad{o.Before, o.After}.attrs()
	if o.Symmetric {
		s += " symmetric"
	}
	return s
}

// maxSliced is the most dimensions that runtimes slice.
const maxSliced = 5

func (o Slice) shape(in []Type) ([]int, error) {
	x := in[0].Shape
	if n := len(x); n < 1 || n > maxSliced || len(o.Begin) != n || len(o.Size) != n || len(o.Step) != n {
		return nil, fmt.Errorf("slice from %v, of %v, in steps of %v of input %v: want 1 to %d dimensions", o.Begin, o.Size, o.Step, x, maxSliced)
	}
	for i, d := range x {
		first, step := o.Begin[i], o.Step[i]
		if o.Size[i] < 1 || o.Size[i] > d || first < 0 || first >= d || step == 0 || step < -MaxElements || step > MaxElements {
			return nil, fmt.Errorf("%d elements from %d on, %d apart, of dimension %d of %v", o.Size[i], first, step, i, x)
		}
		if last := first + (o.Size[i]-1)*step; last < 0 || last >= d {
			return nil, fmt.Errorf("elements %d to %d of dimension %d of %v", first, last, i, x)
		}
	}
	return slices.Clone(o.Size), nil
}

func (o SpaceToDepth) shape(in []Type) ([]int, error) {
	x, err := image(in, o.Block)
	if err != nil {
		return nil, err
	}
	if x[1]%o.Block != 0 || x[2]%o.Block != 0 {
		return nil, fmt.Errorf("blocks of %d do not fill %v", o.Block, x)
	}
	return []int{x[0], x[1] / o.Block, x[2] / o.Block, x[3] * o.Block * o.Block}, nil
}

func (o DepthToSpace) shape(in []Type) ([]int, error) {
	x, err := image(in, o.Block)
	if err != nil {
		return nil, err
	}
	if x[3]%(o.Block*o.Block) != 0 {
		return nil, fmt.Errorf("%v has no channels for blocks of %d", x, o.Block)
	}
	return []int{x[0], x[1] * o.Block, x[2] * o.Block, x[3] / (o.Block * o.Block)}, nil
}

// image is the shape of an operator's one input, (N, H, W, C), which is taken in blocks.
func image(in []Type, block int) ([]int, error) {
	if x := in[0].Shape; len(x) != 4 || block < 1 || block > maxWindow {
		return nil, fmt.Errorf("blocks of %d in %v: want 4 dimensions, and 1 to %d", block, x, maxWindow)
	}
	return in[0].Shape, nil
}

func (o MirrorPad) shape(in []Type) ([]int, error) {
	shape, err := Pad{o.Before, o.After}.shape(in)
	if err != nil {
		return nil, err
	}
	for i, d := range in[0].Shape {
		if !o.Symmetric {
			d--
		}
		if max(o.Before[i], o.After[i]) > d {
			return nil, fmt.Errorf("padding %v, %v mirrors more than there is of %v", o.Before, o.After, in[0].Shape)
		}
	}
	return shape, nil
}

func (o Tile) shape(in []Type) ([]int, error) {
	shape := slices.Clone(in[0].Shape)
	if len(o.Times) != len(shape) {
		return nil, fmt.Errorf("input %v repeated %v times", shape, o.Times)
	}
	for i, times := range o.Times {
		if times < 1 || shape[i] < 1 || times > MaxElements/shape[i] {
			return nil, fmt.Errorf("input %v repeated %v times", in[0].Shape, o.Times)
		}
		shape[i] *= times
	}
	return shape, nil
}
