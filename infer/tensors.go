package infer

import (
	"context"
	"encoding/binary"
	"fmt"

	"mnet-edge/graph"
	"mnet-edge/graph/interp"
	"mnet-edge/graph/tflite"
	"mnet-edge/quant"
)

// Verification says whether a runtime computes what graph/interp does, tensor by tensor.
type Verification struct {
	Runtime  string        `json:"runtime"`
	Delegate string        `json:"delegate"`
	Inputs   int           `json:"inputs"`
	Tensors  int           `json:"tensors"` // computed tensors of integers; each counts as equal if it is in every element, for all inputs
	Floats   int           `json:"float_tensors_left_out"`
	Modes    []ModeEqual   `json:"modes"`
	Match    string        `json:"matching_rounding"` // the first mode with every tensor equal, "" if none has
	Differ   []TensorDiffs `json:"differences"`       // in the mode that is equal most often, in execution order
}

// ModeEqual is how many tensors are equal in one rounding of the interpreter.
type ModeEqual struct {
	Rounding string `json:"rounding"`
	Equal    int    `json:"tensors_equal"`
}

// TensorDiffs is a tensor that is not equal.
type TensorDiffs struct {
	Tensor   string `json:"tensor"`
	Op       string `json:"op"`
	Elements int    `json:"elements"` // for all inputs
	Unequal  int    `json:"unequal"`
	Largest  int    `json:"largest_difference"` // in integers
}

// VerifyTensors runs a model tensor by tensor on the first of the runtimes that takes it: each computed tensor as the output of the
// model up to it, so that no runtime has to show what it keeps inside. inputs are the bytes of the input tensor. What the
// runtime gives is compared with the interpreter in every rounding.
func VerifyTensors(ctx context.Context, runtimes []Runtime, model []byte, opts Options, inputs [][]byte) (*Verification, error) {
	runtime, whole, err := Open(runtimes, model, opts)
	if err != nil {
		return nil, err
	}
	v := &Verification{Runtime: runtime.Name(), Delegate: whole.Placement().Delegate, Inputs: len(inputs)}
	if err := whole.Close(); err != nil {
		return nil, err
	}
	g, err := Decode(model)
	if err != nil {
		return nil, err
	}
	got := make([][]int, len(g.Nodes)) // of each node's tensor, nil if it is not of integers
	for i, n := range g.Nodes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if n.Out.Type.Quant == nil || n.In[0].Constant() {
			v.Floats++
			continue
		}
		v.Tensors++
		if got[i], err = upTo(runtime, model, i, opts, inputs); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", n.Out.Name, err)
		}
	}
	most := -1
	for _, r := range []quant.Rounding{quant.Float32, quant.Double, quant.Single, quant.DoubleUp} {
		differ, err := differences(g, r, inputs, got)
		if err != nil {
			return nil, err
		}
		equal := v.Tensors - len(differ)
		v.Modes = append(v.Modes, ModeEqual{r.String(), equal})
		if equal > most {
			most, v.Differ = equal, differ
		}
		if v.Match == "" && equal == v.Tensors {
			v.Match = r.String()
		}
	}
	return v, nil
}

// upTo runs the model that ends with node last, and gives its values for all inputs.
func upTo(runtime Runtime, model []byte, last int, opts Options, inputs [][]byte) ([]int, error) {
	g, err := Decode(model)
	if err != nil {
		return nil, err
	}
	out := g.Nodes[last].Out
	g.Outputs, g.Meta = []*graph.Value{out}, graph.Meta{}
	g.RemoveUnread()
	encoded, err := tflite.Encode(g)
	if err != nil {
		return nil, err
	}
	s, err := runtime.Open(encoded, opts)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var all []int
	b := make([]byte, out.Type.Bytes())
	for _, in := range inputs {
		if err := Call(s, in, b); err != nil {
			return nil, err
		}
		x, err := ElementsOf(out.Type, b)
		if err != nil {
			return nil, err
		}
		all = appendInts(all, x)
	}
	return all, nil
}

// differences runs the interpreter over the inputs and lists the tensors that are not what the runtime got.
func differences(g *graph.Graph, r quant.Rounding, inputs [][]byte, got [][]int) ([]TensorDiffs, error) {
	want, place := make([][]int, len(g.Nodes)), map[*graph.Value]int{}
	for i, n := range g.Nodes {
		place[n.Out] = i
	}
	m, err := interp.New(g, interp.Options{Rounding: r, Tap: func(v *graph.Value, data any) {
		if i, ok := place[v]; ok && got[i] != nil {
			want[i] = appendInts(want[i], data)
		}
	}})
	if err != nil {
		return nil, err
	}
	for _, in := range inputs {
		x, err := ElementsOf(g.Inputs[0].Type, in)
		if err != nil {
			return nil, err
		}
		if _, err := m.Run(x); err != nil {
			return nil, err
		}
	}
	var differ []TensorDiffs
	for i, n := range g.Nodes {
		d := TensorDiffs{Tensor: n.Out.Name, Op: n.Op.Name(), Elements: len(got[i])}
		for k, q := range got[i] {
			if by := max(q-want[i][k], want[i][k]-q); by != 0 {
				d.Unequal++
				d.Largest = max(d.Largest, by)
			}
		}
		if d.Unequal > 0 {
			differ = append(differ, d)
		}
	}
	return differ, nil
}

// ElementsOf are the elements of a tensor's bytes, of a type that Session.Write takes.
func ElementsOf(t graph.Type, b []byte) (any, error) {
	x := elements(t)
	if x == nil {
		return nil, fmt.Errorf("infer: a tensor of %v", t.DType)
	}
	_, err := binary.Decode(b, binary.LittleEndian, x)
	return x, err
}

func appendInts(all []int, data any) []int {
	switch d := data.(type) {
	case []int8:
		return widened(all, d)
	case []uint8:
		return widened(all, d)
	case []int16:
		return widened(all, d)
	}
	return all
}

func widened[T int8 | uint8 | int16](all []int, d []T) []int {
	for _, q := range d {
		all = append(all, int(q))
	}
	return all
}
