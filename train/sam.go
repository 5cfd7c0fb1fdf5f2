package train

import (
	. "github.com/gomlx/gomlx/core/graph" //lint:ignore ST1001 see net.go
)

// gradientsUphill are those of sharpness-aware minimization: the gradients where the weights would be after a step against the descent, of
// length rho = Recipe.SAM over all weights together,
//
//	g = gradient(w)        e = rho g / |g|        gradients = gradient(w + e)
//
// which lead to places around which the loss is low too, where images not learnt from are right more often (Foret et al., "Sharpness-aware
// minimization for efficiently improving generalization", 2021). Twice the work of a step; the last part of a run is where it counts (Zhou et
// al., "Sharpness-aware minimization efficiently selects flatter minima late in training", 2025). Loss, hits and the batch's statistics are
// those at w.
func (t *trainer) gradientsUphill(weights map[string]*Node, pixels, labels *Node, q goal) (n *net, loss, correct *Node, grads map[string]*Node) {
	n, loss, correct, grads = t.gradients(weights, pixels, labels, q)
	var all []*Node
	for _, p := range t.params {
		if p.Trainable {
			all = append(all, grads[p.Name])
		}
	}
	scale := MulScalar(Reciprocal(norm(all...)), t.recipe.SAM)
	above := map[string]*Node{}
	for _, p := range t.params {
		if above[p.Name] = weights[p.Name]; p.Trainable {
			above[p.Name] = Add(weights[p.Name], Mul(scale, grads[p.Name]))
		}
	}
	_, _, _, grads = t.gradients(above, pixels, labels, q)
	return n, loss, correct, grads
}
