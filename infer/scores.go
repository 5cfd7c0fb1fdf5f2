package infer

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"mnet-edge/graph"
)

// Scores writes the output tensor's bytes to scores as real numbers, Classes of them: logits, or probabilities where the model ends in a
// softmax or a sigmoid. A score that is not a finite number is an error wrapping ErrModel.
func (m *Model) Scores(scores []float32, out []byte) error {
	if err := m.Output.CheckSize(len(out)); err != nil {
		return err
	}
	if len(scores) != m.Classes {
		return fmt.Errorf("infer: room for %d scores of %d classes", len(scores), m.Classes)
	}
	t := m.Output.Type
	if t.DType != graph.Float32 {
		scale, zero := t.Quant.At(0)
		for i := range scores {
			var q int32
			switch t.DType {
			case graph.Int8:
				q = int32(int8(out[i]))
			case graph.UInt8:
				q = int32(out[i])
			case graph.Int16:
				q = int32(int16(binary.LittleEndian.Uint16(out[2*i:])))
			}
			scores[i] = scale * float32(q-zero)
		}
	} else {
		for i := range scores {
			scores[i] = math.Float32frombits(binary.LittleEndian.Uint32(out[4*i:]))
		}
	}
	for i := range scores {
		if x := float64(scores[i]); math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%w: its score %d is %v", ErrModel, i, x)
		}
	}
	return nil
}

// Prediction is one answer for an image.
type Prediction struct {
	Label       string  `json:"label"` // "" of a model without labels
	Index       int     `json:"index"`
	Probability float64 `json:"probability"` // softmax of the scores, or the score of a model that ends in one
}

// TopK returns the k classes of highest score, best first; of equal scores the lower index goes first.
// k is brought into 0..Classes.
func (m *Model) TopK(scores []float32, k int) []Prediction {
	best := slices.Max(scores)
	sum := 0.0
	ps := make([]Prediction, len(scores))
	for i, s := range scores {
		e := math.Exp(float64(s) - float64(best))
		sum += e
		ps[i] = Prediction{Index: i, Probability: e}
		if m.Labels != nil {
			ps[i].Label = m.Labels[i]
		}
	}
	slices.SortStableFunc(ps, func(a, b Prediction) int { return cmp.Compare(scores[b.Index], scores[a.Index]) })
	ps = ps[:min(max(k, 0), len(ps))]
	for i := range ps {
		if ps[i].Probability /= sum; m.head != nil {
			ps[i].Probability = float64(scores[ps[i].Index])
		}
	}
	return ps
}

// argmax is the index of the highest score, the lowest of equal ones.
func argmax(scores []float32) int {
	best := 0
	for i, s := range scores {
		if s > scores[best] {
			best = i
		}
	}
	return best
}
