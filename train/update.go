package train

import (
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //lint:ignore ST1001 the update reads as its equations
)

// A step brings each weight to a new place in three: push says where its gradient and its momentum drive it; what drives a matrix that
// Muon is meant for is made orthogonal, all of them together (net.orthogonalize); moved is the new weight.

// byMuon says whether the recipe has Muon for p, not SGD.
func (r Recipe) byMuon(p param) bool { return r.Muon > 0 && p.isMatrix() }

// push is what drives the weight w of p, and the new momentum, by PyTorch's momentum:
//
//	m' = momentum*m + g        direction = m'      or, Nesterov,  g + momentum*m'
//
// where g has what the recipe adds to decay weights that SGD moves.
func (r Recipe) push(p param, w, grad, momentum *Node) (direction, newMomentum *Node) {
	if r.WeightDecay > 0 && !r.byMuon(p) && (r.DecayAll || len(p.Shape) > 1) {
		grad = Add(grad, MulScalar(w, r.WeightDecay))
	}
	newMomentum = Add(MulScalar(momentum, r.Momentum), grad)
	if r.Nesterov {
		return Add(grad, MulScalar(newMomentum, r.Momentum)), newMomentum
	}
	return newMomentum, newMomentum
}

// moved is w - rate*direction. Of a matrix (I, O) that Muon moves, w is first brought to the norm sqrt(O), a unit an output: batch
// normalization follows every such matrix, so its scale changes no answer, but it is what a step is measured by. For the same
// reason decay would have no effect but on that scale, and there is none.
func (r Recipe) moved(p param, w, direction, rate *Node) *Node {
	if r.byMuon(p) {
		outputs := float64(w.Shape().Dimensions[1])
		w, rate = Mul(w, MulScalar(Reciprocal(norm(w)), math.Sqrt(outputs))), MulScalar(rate, r.Muon)
	}
	return Sub(w, Mul(direction, rate))
}

// isMatrix says whether p mixes channels: a pointwise convolution, or a dense one taken as the matrix (9*I, O). The stem, which
// mixes three colors, is left to SGD with the rest.
func (p param) isMatrix() bool { return len(p.Shape) == 4 && p.Shape[1] > 3 }

// norm is the root of the sum of squares of all of xs, kept from zero.
func norm(xs ...*Node) *Node {
	squares := ReduceAllSum(Mul(xs[0], xs[0]))
	for _, x := range xs[1:] {
		squares = Add(squares, ReduceAllSum(Mul(x, x)))
	}
	return AddScalar(Sqrt(squares), 1e-7)
}

// A matrix of norm 1 has no singular value above 1. Muon's polynomial 3.4445 s - 4.775 s^3 + 2.0315 s^5, repeated, takes any singular
// value s in (0, 1] to around 1, so that a step moves the rare directions as far as the common ones: between about 0.7 and 1.2 after five
// times; small values are still on their way after muonSteps, which is enough to train with. Source: Jordan, "Muon: an optimizer for
// hidden layers in neural networks", 2024.
const muonSteps = 3

// rounder is the matrix x with the polynomial applied to its singular values (a Newton-Schulz step): with the products of x's shorter side,
//
//	A = x x^T        x' = (3.4445 + (-4.775 + 2.0315 A) A) x
func rounder(x *Node) *Node {
	d, along := x.Shape().Dimensions, 1
	if d[0] > d[1] {
		along = 0
	}
	a := DotGeneral(x, []int{along}, nil, x, []int{along}, nil)
	b := Add(times(a, -4.775), times(Dot(a, a).Product(), 2.0315))
	moved := Dot(b, x)
	if along == 0 {
		moved = Dot(x, b)
	}
	return Add(times(x, 3.4445), moved.Product())
}

// times is MulScalar with a constant of its own: those of GoMLX's are one for a whole graph, and a loop's body must not use what is outside.
func times(x *Node, by float64) *Node {
	return Mul(x, Const(x.Graph(), shapes.CastAsDType(by, x.DType())))
}
