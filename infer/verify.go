package infer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"mnet-edge/graph"
	"mnet-edge/quant"
)

// Agreement says how near a session's answers come to the reference interpreter's on the same inputs.
type Agreement struct {
	Inputs   int     `json:"inputs"`
	SameTop1 int     `json:"same_top1"`          // inputs whose class is the same, or one of several with the reference's highest score, as integers have them
	SameBits int     `json:"same_bits"`          // inputs whose whole output is the same, bit for bit
	MaxDiff  float64 `json:"max_score_diff"`     // the largest difference of a score, in the scores' own unit
	Rounding string  `json:"rounding,omitempty"` // the reference's integer rounding that comes nearest; "" of a float model
}

// trustedShare is the share of equal classes below which a runtime is taken to compute something else.
const trustedShare = 0.99

// Trusted reports whether at least trustedShare of the classes are the same.
func (a Agreement) Trusted() bool { return float64(a.SameTop1) >= trustedShare*float64(a.Inputs) }

// A Verifier holds what the reference interpreter answers for some inputs of a model. An integer model has several right
// answers, one for each rounding in use: a session is held to the one it comes nearest to.
type Verifier struct {
	model   *Model
	inputs  [][]byte
	answers []answers
}

type answers struct {
	rounding string
	outputs  [][]byte
}

// NewVerifier runs the reference interpreter on the inputs, tensors' bytes as Model.Preprocess makes them. An error that
// wraps ErrModel means that it cannot run the model.
func NewVerifier(ctx context.Context, model []byte, m *Model, inputs [][]byte) (*Verifier, error) {
	if len(inputs) == 0 {
		return nil, errors.New("infer: nothing to verify on")
	}
	v := &Verifier{model: m, inputs: inputs}
	roundings := []quant.Rounding{quant.Double}
	if m.Graph.Level == graph.Quantized {
		roundings = []quant.Rounding{quant.Double, quant.DoubleUp, quant.Float32} // no runtime known here is built with Single
	}
	for _, r := range roundings {
		s, err := NewReference(r).Open(model, Options{})
		if err != nil {
			return nil, err
		}
		outputs, err := run(ctx, s, inputs)
		if err := errors.Join(err, s.Close()); err != nil {
			return nil, err
		}
		a := answers{outputs: outputs}
		if len(roundings) > 1 {
			a.rounding = r.String()
		}
		v.answers = append(v.answers, a)
	}
	return v, nil
}

// run is the session's output for each input.
func run(ctx context.Context, s Session, inputs [][]byte) ([][]byte, error) {
	outputs := make([][]byte, len(inputs))
	for i, in := range inputs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		outputs[i] = make([]byte, s.Output().Type.Bytes())
		if err := Call(s, in, outputs[i]); err != nil {
			return nil, err
		}
	}
	return outputs, nil
}

// Check runs a session of the same model on the same inputs.
func (v *Verifier) Check(ctx context.Context, s Session) (Agreement, error) {
	got, err := run(ctx, s, v.inputs)
	if err != nil {
		return Agreement{}, err
	}
	var best Agreement
	for i, a := range v.answers {
		agreement, err := v.model.compare(a.outputs, got)
		if err != nil {
			return Agreement{}, err
		}
		agreement.Rounding = a.rounding
		if i == 0 || agreement.Nearer(best) {
			best = agreement
		}
	}
	return best, nil
}

// Nearer reports whether more outputs are the same than in b: bit for bit, and of as many, by their class.
func (a Agreement) Nearer(b Agreement) bool {
	if a.SameBits != b.SameBits {
		return a.SameBits > b.SameBits
	}
	return a.SameTop1 > b.SameTop1
}

// Agree holds outputs to those of any session. They may have been made of the inputs in another process.
func (m *Model) Agree(ctx context.Context, reference Session, inputs, outputs [][]byte) (Agreement, error) {
	if len(inputs) != len(outputs) {
		return Agreement{}, fmt.Errorf("infer: %d outputs of %d inputs", len(outputs), len(inputs))
	}
	want, err := run(ctx, reference, inputs)
	if err != nil {
		return Agreement{}, err
	}
	return m.compare(want, outputs)
}

// compare holds outputs to the reference's. Scores that are not numbers agree with nothing; the reference's must be.
func (m *Model) compare(want, got [][]byte) (Agreement, error) {
	a := Agreement{Inputs: len(got)}
	x, y := make([]float32, m.Classes), make([]float32, m.Classes)
	for i := range got {
		if err := m.Scores(x, want[i]); err != nil {
			return a, fmt.Errorf("input %d: %w", i, err)
		}
		if m.Scores(y, got[i]) != nil {
			continue
		}
		if x[argmax(y)] == x[argmax(x)] {
			a.SameTop1++
		}
		if bytes.Equal(got[i], want[i]) {
			a.SameBits++
		}
		for k := range x {
			a.MaxDiff = max(a.MaxDiff, math.Abs(float64(x[k])-float64(y[k])))
		}
	}
	return a, nil
}
