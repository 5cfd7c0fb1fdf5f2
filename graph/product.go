package graph

import (
	"fmt"
	"slices"
)

// The operators that sum products without having weights as a layer has them; float32 alone.
type (
	// BatchMatMul multiplies the matrices of the last two dimensions, transposed before where AdjX, or AdjY, says so. Of
	// the other dimensions one of 1, or one that is missing in front, is repeated to fit the other input's. Either input may
	// be a constant.
	BatchMatMul struct{ AdjX, AdjY bool }
	// TransposeConv2D runs a Conv2D with the same window backwards: x has the shape of that convolution's result, and Size, {height, width}, is
	// that of its input. Each x[n,y,x,i] adds itself times weight[o,ky,kx,i] to every pixel that the window would have read there.
	TransposeConv2D struct {
		Window
		Size [2]int
	}
)

func (BatchMatMul) Name() string     { return "batch_matmul" }
func (TransposeConv2D) Name() string { return "transpose_conv2d" }

func (o BatchMatMul) attrs() string {
	s := ""
	if o.AdjX {
		s += " adj_x"
	}
	if o.AdjY {
		s += " adj_y"
	}
	return s
}
func (o TransposeConv2D) attrs() string { return o.Window.attrs() } // the result's shape says the size

// maxMatrices is the most dimensions of what runtimes take for matrices.
const maxMatrices = 5

func (o BatchMatMul) shape(in []Type) ([]int, error) {
	x, y := in[0].Shape, in[1].Shape
	if len(x) < 2 || len(y) < 2 || max(len(x), len(y)) > maxMatrices || in[0].DType != in[1].DType {
		return nil, fmt.Errorf("inputs %v%v and %v%v: want 2 to %d dimensions", in[0].DType, x, in[1].DType, y, maxMatrices)
	}
	rows, depth := o.matrix(x, o.AdjX)
	depthY, columns := o.matrix(y, o.AdjY)
	if depth != depthY {
		return nil, fmt.Errorf("%d columns of %v for %d rows of %v", depth, x, depthY, y)
	}
	shape, err := broadcast(x[:len(x)-2], y[:len(y)-2])
	return append(shape, rows, columns), err
}

// matrix is the size of a tensor's matrices, transposed or not.
func (BatchMatMul) matrix(shape []int, transposed bool) (rows, columns int) {
	rows, columns = shape[len(shape)-2], shape[len(shape)-1]
	if transposed {
		return columns, rows
	}
	return rows, columns
}

func (o TransposeConv2D) shape(in []Type) ([]int, error) {
	x, w := in[0], in[1]
	if len(x.Shape) != 4 || len(w.Shape) != 4 || w.Shape[3] != x.Shape[3] || o.Dilation != [2]int{1, 1} {
		return nil, fmt.Errorf("input %v and weight %v, dilation %v: want 4 dimensions, the same channels, 1", x.Shape, w.Shape, o.Dilation)
	}
	if o.Size[0] < 1 || o.Size[1] < 1 || max(o.Size[0], o.Size[1]) > MaxElements {
		return nil, fmt.Errorf("size %v", o.Size)
	}
	image := []int{x.Shape[0], o.Size[0], o.Size[1], w.Shape[0]}
	seen, err := o.slide(image, [2]int{w.Shape[1], w.Shape[2]}, x.Shape[3], nil)
	if err == nil && !slices.Equal(seen, x.Shape) {
		err = fmt.Errorf("an image of %v, of which a convolution makes %v, of %v", o.Size, seen, x.Shape)
	}
	if err != nil {
		return nil, err
	}
	return image, checkBias(in[2:], w.Shape[0])
}
