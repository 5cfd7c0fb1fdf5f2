package infer

import (
	"bytes"
	"errors"
	"fmt"
	"math"
)

// Agree is Verifier.Check with any session as the reference, for outputs that another runtime made of the inputs, in another
// process for one. Where the reference has several classes of one highest score, as integers do, each of them is its
// answer. Scores that are not numbers agree with nothing.
func (m *Model) Agree(reference Session, inputs, outputs [][]byte) (Agreement, error) {
	if len(inputs) != len(outputs) {
		return Agreement{}, fmt.Errorf("infer: %d outputs of %d inputs", len(outputs), len(inputs))
	}
	var a Agreement
	want, got := make([]float32, m.Classes), make([]float32, m.Classes)
	out := make([]byte, m.Output.Type.Bytes())
	for i, in := range inputs {
		if err := errors.Join(reference.Write(in), reference.Invoke(), reference.Read(out)); err != nil {
			return a, err
		}
		if err := m.Scores(want, out); err != nil {
			return a, err
		}
		a.Inputs++
		if m.Scores(got, outputs[i]) != nil {
			continue
		}
		if want[argmax(got)] == want[argmax(want)] {
			a.SameTop1++
		}
		if bytes.Equal(out, outputs[i]) {
			a.SameBits++
		}
		for k := range got {
			a.MaxDiff = max(a.MaxDiff, math.Abs(float64(got[k])-float64(want[k])))
		}
	}
	return a, nil
}
