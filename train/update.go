package train

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph" //lint:ignore ST1001 the update reads as its equations
)

// An update takes a weight, its loss gradient, its momentum and the step's rate, and gives the new weight and momentum.

// update is the rule that the recipe has for p: Muon for the matrices it is meant for, if the recipe wants it, else SGD.
func (r Recipe) update(p param, w, grad, momentum, rate *Node) (newW, newMomentum *Node) {
	if r.Muon > 0 && p.isMatrix() {
		return r.muon(w, grad, momentum, MulScalar(rate, r.Muon))
	}
	if r.WeightDecay > 0 && (r.DecayAll || len(p.Shape) > 1) {
		grad = Add(grad, MulScalar(w, r.WeightDecay))
	}
	return r.sgd(w, grad, momentum, rate)
}

// sgd is PyTorch's stochastic gradient descent with momentum:
//
//	m' = momentum*m + g        w' = w - rate*m'        or, Nesterov,  w' = w - rate*(g + momentum*m')
func (r Recipe) sgd(w, grad, momentum, rate *Node) (newW, newMomentum *Node) {
	newMomentum = Add(MulScalar(momentum, r.Momentum), grad)
	return Sub(w, Mul(r.direction(grad, newMomentum), rate)), newMomentum
}

func (r Recipe) direction(grad, newMomentum *Node) *Node {
	if r.Nesterov {
		return Add(grad, MulScalar(newMomentum, r.Momentum))
	}
	return newMomentum
}

// isMatrix says whether p mixes channels: a pointwise convolution, or a dense one taken as the matrix (9*I, O). The stem, which
// mixes three colors, is left to SGD with the rest.
func (p param) isMatrix() bool { return len(p.Shape) == 4 && p.Shape[1] > 3 }

// muon is Jordan's "Muon: an optimizer for hidden layers in neural networks", 2024, for w (I, O): SGD's direction, but with all its
// singular values made nearly 1, so that a step moves the rare directions as far as the common ones. w is first brought to the
// norm sqrt(O), a unit an output. Batch normalization follows every such matrix, so its scale changes no answer, but
// it is what a step is measured by. For the same reason decay would have no effect but on that scale, and there is none.
func (r Recipe) muon(w, grad, momentum, rate *Node) (newW, newMomentum *Node) {
	newMomentum = Add(MulScalar(momentum, r.Momentum), grad)
	outputs := float64(w.Shape().Dimensions[1])
	w = Mul(w, MulScalar(Reciprocal(norm(w)), math.Sqrt(outputs)))
	return Sub(w, Mul(orthogonal(r.direction(grad, newMomentum)), rate)), newMomentum
}

// norm is the root of the sum of squares of all of x, kept from zero.
func norm(x *Node) *Node { return AddScalar(Sqrt(ReduceAllSum(Mul(x, x))), 1e-7) }

// muonSteps and the polynomial 3.4445 s - 4.775 s^3 + 2.0315 s^5 are Muon's: repeated, it takes any singular value s in (0, 1] to
// around 1 (between about 0.7 and 1.2 after five steps; small values are still on their way after three, which is enough to train with).
const muonSteps = 3

// orthogonal returns the matrix x with its singular values near one, by a Newton-Schulz iteration on the shorter side.
func orthogonal(x *Node) *Node {
	d := x.Shape().Dimensions
	tall := d[0] > d[1]
	if tall {
		x = Transpose(x, 0, 1)
	}
	x = Div(x, norm(x))
	for range muonSteps {
		a := DotGeneral(x, []int{1}, nil, x, []int{1}, nil)
		b := Add(MulScalar(a, -4.775), MulScalar(Dot(a, a).Product(), 2.0315))
		x = Add(MulScalar(x, 3.4445), Dot(b, x).Product())
	}
	if tall {
		x = Transpose(x, 0, 1)
	}
	return x
}
