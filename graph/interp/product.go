package interp

import (
	"fmt"
	"math"

	"mnet-edge/graph"
)

// The operators that sum products without having weights as a layer has them.

// batchMatMul returns what computes a BatchMatMul node: out[b,n,o] = sum over i of x[b,n,i] * y[b,i,o].
func (c *compiler) batchMatMul(n *graph.Node, op graph.BatchMatMul) (func(), error) {
	x, okX := c.data[n.In[0]].([]float32)
	y, okY := c.data[n.In[1]].([]float32)
	out, okOut := c.data[n.Out].([]float32)
	if !okX || !okY || !okOut {
		return nil, fmt.Errorf("no kernel for %v", n.Out.Type.DType)
	}
	batch, rows, columns := matrices(n.Out)
	batchX, _, depth := matrices(n.In[0])
	if op.AdjX {
		_, depth, _ = matrices(n.In[0])
	}
	batchY, _, _ := matrices(n.In[1])
	stepX, stepY := [2]int{depth, 1}, [2]int{columns, 1} // from row to row, from column to column
	if op.AdjX {
		stepX = [2]int{1, rows}
	}
	if op.AdjY {
		stepY = [2]int{1, depth}
	}
	atX, atY := repeated(batchX, batch), repeated(batchY, batch)
	return func() {
		at := 0
		for b := range atX {
			x, y := x[atX[b]*rows*depth:], y[atY[b]*depth*columns:]
			for row := range rows {
				for column := range columns {
					var sum float32
					for i := range depth {
						sum += float32(x[row*stepX[0]+i*stepX[1]] * y[i*stepY[0]+column*stepY[1]])
					}
					out[at] = sum
					at++
				}
			}
		}
	}, nil
}

// matrices are the shape of a value but for its last two dimensions, and those.
func matrices(v *graph.Value) (batch []int, rows, columns int) {
	last := len(v.Type.Shape) - 1
	return v.Type.Shape[:last-1], v.Type.Shape[last-1], v.Type.Shape[last]
}

// transposeConv returns what computes a TransposeConv2D node. The window slides over the result.
func (c *compiler) transposeConv(n *graph.Node) (func(), error) {
	x, ok := c.data[n.In[0]].([]float32)
	if !ok {
		return nil, fmt.Errorf("no kernel for %v", n.Out.Type.DType)
	}
	w, bias, err := weights[float32, float32](c, n)
	if err != nil {
		return nil, err
	}
	out := c.data[n.Out].([]float32)
	g := new(window)
	g.Geometry, _ = n.Geometry()
	return func() { g.scatter(x, w, bias, out) }, nil
}

// scatter: image[n, y*sy-py+ky, x*sx-px+kx, o] is the sum of seen[n,y,x,i] * w[o,ky,kx,i], in the order of y, x, ky, kx
// and i, plus bias[o].
func (g *window) scatter(seen, w, bias, image []float32) {
	clear(image)
	for n := range g.N {
		for y := range g.OH {
			for x := range g.OW {
				from := seen[g.out0(n, y, x):][:g.OC]
				for ky := range g.KH {
					for kx := range g.KW {
						iy, inY := g.At(0, y, ky)
						ix, inX := g.At(1, x, kx)
						if !inY || !inX {
							continue
						}
						to := image[g.x0(n, iy, ix):][:g.C]
						for o := range to {
							tap := w[((o*g.KH+ky)*g.KW+kx)*g.OC:][:g.OC]
							for i, v := range from {
								to[o] += float32(v * tap[i])
							}
						}
					}
				}
			}
		}
	}
	for i := range image {
		image[i] += bias[i%g.C]
	}
}

// l2Norm: out[i] = x[i] / max(sqrt(sum of the row's squares), 1e-6).
func l2Norm(x, out []float32) {
	var sum float32
	for _, v := range x {
		sum += float32(v * v)
	}
	length := max(float32(math.Sqrt(float64(sum))), 1e-6)
	for i, v := range x {
		out[i] = v / length
	}
}
