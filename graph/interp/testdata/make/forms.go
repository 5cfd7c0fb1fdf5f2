package main

import "mnet-edge/graph"

// forms are the operators without weights in the forms that a network leaves out: scales so far apart that XNNPACK leaves
// the operator to TFLite's own kernel, activations whose bounds fall on ties, operands repeated along every axis, each
// way of resizing, uint8. It has 4 inputs of random integers.
func forms() (*graph.Graph, any) {
	m := newMaker("forms", 5, 7)
	x := m.Input("x", integers(graph.Int8, 0.05, -3, 1, 7, 6, 5))
	apply, same := m.apply, m.same
	operand := func(scale float32, zero int32, shape ...int) *graph.Value {
		return m.operand(integers(graph.Int8, scale, zero, shape...))
	}
	to8 := graph.Quantize{To: graph.Int8}
	fine, coarse := apply(to8, 0.002, 90, x), apply(to8, 3, 127, x)

	add, sub, mul := graph.Arithmetic{Fn: graph.Add}, graph.Arithmetic{Fn: graph.Sub}, graph.Arithmetic{Fn: graph.Mul}
	for _, op := range []graph.Arithmetic{add, sub, mul} {
		apply(op, 0.05, 4, x, x)
		apply(op, 0.08, -128, x, coarse)
		apply(op, 3, 5, fine, coarse)
		apply(op, 0.04, 7, x, operand(0.03, 9, 5))
		apply(op, 0.04, 7, operand(0.03, -90, 7, 1, 5), x)
		apply(op, 0.04, 7, x, operand(0.03, 0))
		apply(op, 0.05, 1, operand(0.03, 2, 2, 1, 1, 1), fine)
		for _, act := range []graph.Activation{graph.ReLU, graph.ReLU6} {
			apply(op.WithActivation(act), 0.04, 7, x, fine)
			apply(op.WithActivation(act), 4, 3, x, coarse) // 6/4 is a tie
		}
	}
	apply(add, 0.0051, 0, x, coarse) // a ratio above 2^8, left to TFLite
	apply(sub, 1e-5, 0, fine, fine)  // of 200, not
	apply(mul, 1e-8, 0, x, x)        // a factor above 2^8
	apply(mul, 0.01, 0, coarse, x)   // of 15
	apply(mul, 1.7, 0, fine, fine)   // of less than 2^-16
	apply(mul, 0.1, 3, fine, coarse) // an ordinary one
	for _, act := range []graph.Activation{graph.ReLU, graph.ReLU6} {
		apply(graph.Activate{Act: act}, 0.05, -3, x)
		apply(graph.Activate{Act: act}, 0.013, -128, x)
		apply(graph.Activate{Act: act}, 4, 3, coarse)
	}

	for i, in := range []*graph.Value{x, fine, coarse} {
		for _, zero := range []int32{-128, -3, 127} {
			scale := in.Type.Quant.Scale[0]
			for _, ratio := range []float32{0.03, 0.77, 1, 5, 300} {
				apply(graph.Unary{Fn: graph.HardSwish}, scale*ratio, zero, in)
			}
		}
		apply(graph.Unary{Fn: graph.Logistic}, 1./256, -128, in)
		for _, beta := range []float32{1, 0.37, 20} {
			apply(graph.Softmax{Beta: beta}, 1./256, -128, in)
			flat := same(graph.Reshape{Shape: []int{1, 210}}, in)
			apply(graph.Softmax{Beta: beta * float32(i+1)}, 1./256, -128, flat)
		}
	}

	for _, fn := range []graph.PoolFunc{graph.Average, graph.Max} {
		for _, in := range []*graph.Value{x, coarse} {
			for act := graph.Linear; act <= graph.ReLU6; act++ {
				same(graph.Pool{Fn: fn, Window: graph.Dense(2, graph.Same), Size: [2]int{3, 2}, Act: act}, in)
				same(graph.Pool{Fn: fn, Window: graph.Dense(1, graph.Valid), Size: [2]int{2, 5}, Act: act}, in)
				same(graph.Pool{Fn: fn, Window: graph.Dense(3, graph.Same), Size: [2]int{9, 9}, Act: act}, in)
			}
		}
	}

	for _, size := range [][2]int{{14, 12}, {3, 2}, {10, 13}, {1, 1}, {7, 6}, {29, 5}} {
		for _, corners := range []bool{false, true} {
			for _, half := range []bool{false, true} {
				if corners && half {
					continue
				}
				same(graph.Resize{Fn: graph.Bilinear, Size: size, AlignCorners: corners, HalfPixel: half}, x)
				same(graph.Resize{Fn: graph.Nearest, Size: size, AlignCorners: corners, HalfPixel: half}, x)
			}
		}
	}

	same(graph.Transpose{Perm: []int{0, 3, 1, 2}}, x)
	same(graph.Transpose{Perm: []int{2, 1, 0, 3}}, x)
	same(graph.Concat{Axis: 2}, x, x, operand(0.05, -3, 1, 7, 2, 5))
	same(graph.Concat{Axis: 0}, x, x)

	u := apply(graph.Quantize{To: graph.UInt8}, 0.05, 125, x)
	apply(to8, 0.05, -3, u)
	apply(to8, 0.013, 20, u)
	u = apply(graph.Quantize{To: graph.UInt8}, 0.017, 40, u)
	m.Outputs = []*graph.Value{m.Apply("y", graph.Dequantize{}, u)}
	return m.Graph, m.bytes(4)
}
