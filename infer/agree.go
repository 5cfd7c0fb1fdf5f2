package infer

import (
	"errors"
	"fmt"
)

// Agreement says for how many of a sample of inputs a runtime names the class that a reference names.
type Agreement struct {
	Reference string `json:"reference"` // the delegate compared with
	Inputs    int    `json:"inputs"`
	Same      int    `json:"same"`
}

// enough is the share of inputs below which a runtime is said to compute something else.
const enough = 0.99

// Holds says whether the runtime computes what the reference does, as far as the sample tells.
func (a Agreement) Holds() bool { return a.Inputs > 0 && float64(a.Same) >= enough*float64(a.Inputs) }

func (a Agreement) String() string {
	return fmt.Sprintf("%d of %d inputs as %s", a.Same, a.Inputs, a.Reference)
}

// Agree runs the inputs on a session of the reference and compares the classes with those of outputs, which another
// runtime made of the same inputs. Where the reference has several classes of one highest score, as integers do, each of
// them is its answer. Scores that are not numbers agree with nothing.
func (m *Model) Agree(reference Session, inputs, outputs [][]byte) (Agreement, error) {
	if len(inputs) != len(outputs) {
		return Agreement{}, fmt.Errorf("infer: %d outputs of %d inputs", len(outputs), len(inputs))
	}
	a := Agreement{Reference: reference.Placement().Delegate}
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
		if m.Scores(got, outputs[i]) == nil && want[argmax(got)] == want[argmax(want)] {
			a.Same++
		}
	}
	return a, nil
}
