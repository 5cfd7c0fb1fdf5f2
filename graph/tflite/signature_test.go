package tflite

import (
	"reflect"
	"slices"
	"testing"

	"mnet-edge/graph"
)

// What programs call inputs and outputs by stays, in files of TensorFlow's converter too; what Encode would say anyway is nothing to keep.
func TestSignature(t *testing.T) {
	for name, want := range map[string]graph.Signature{
		"tf_float": {Inputs: []string{"image"}, Outputs: []string{"output_0"}},
		"tf_int8":  {Inputs: []string{"image"}, Outputs: []string{"output_0"}},
	} {
		g, err := Decode(read(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Decode(encode(t, g)); err != nil || !reflect.DeepEqual(g.Meta.Signature, want) || !reflect.DeepEqual(again.Meta.Signature, want) {
			t.Errorf("%s: %q, and written again %q, want %q, error %v", name, g.Meta.Signature, again.Meta.Signature, want, err)
		}
	}
	for _, c := range []struct{ given, want graph.Signature }{
		{graph.Signature{}, graph.Signature{}},
		{graph.Signature{Key: "detect", Inputs: []string{"photo"}, Outputs: []string{"classes"}}, graph.Signature{Key: "detect", Inputs: []string{"photo"}, Outputs: []string{"classes"}}},
		{graph.Signature{Key: defaultSignature, Inputs: []string{"image"}}, graph.Signature{}}, // the tensor's own name
		{graph.Signature{Inputs: []string{"one", "too many"}}, graph.Signature{}},
	} {
		g := floatNet()
		g.Meta.Signature = c.given
		got, err := Decode(encode(t, g))
		if err != nil || !reflect.DeepEqual(got.Meta.Signature, c.want) {
			t.Errorf("%q: %q, want %q, error %v", c.given, got.Meta.Signature, c.want, err)
		}
	}
}

// Names that are made up are nobody's own.
func TestApart(t *testing.T) {
	for _, c := range []struct{ given, want []string }{
		{[]string{"a", "b"}, []string{"a", "b"}},
		{[]string{"a", "a", ""}, []string{"a", "x_1", "x_2"}},
		{[]string{"x_1", ""}, []string{"x_1", "x_2"}},
		{[]string{"", "", "x_0", "x_0"}, []string{"x_1", "x_2", "x_0", "x_3"}},
	} {
		if got := apart("x", c.given); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.given, got, c.want)
		}
	}
}

// A signature of somebody else's that leaves an input without a name, or two outputs with one, gives no names.
func TestSignatureIncomplete(t *testing.T) {
	for name, change := range map[string]func(signature obj){
		"no inputs":      func(s obj) { s[signatureInputs] = []obj{} },
		"another tensor": func(s obj) { s[signatureInputs] = []obj{{mapName: "x", mapIndex: uint32(77)}} },
		"no name":        func(s obj) { s[signatureInputs] = []obj{{mapIndex: uint32(0)}} },
		"two with one": func(s obj) {
			for _, m := range s[signatureOutputs].([]obj) {
				m[mapName] = "y"
			}
		},
	} {
		g := floatNet()
		g.Outputs = append(g.Outputs, g.Nodes[0].Out)
		p := taken(t, g)
		change(p.model[modelSignatures].([]obj)[0])
		g, err := Decode(finish(p.model, modelID, 0))
		if err != nil || g.Meta.Signature.Inputs != nil || g.Meta.Signature.Outputs != nil {
			t.Errorf("%s: %+v, error %v", name, g.Meta.Signature, err)
		}
	}
}

// Labels stay with the output that they are of; where that is gone, with the first.
func TestLabelsOf(t *testing.T) {
	two := func(of int) *graph.Graph {
		g := floatNet()
		g.Outputs = append(g.Outputs, g.Apply("second", graph.Activate{Act: graph.ReLU}, g.Outputs[0]))
		g.Meta.Labels, g.Meta.LabelsOf = []string{"a", "b"}, of
		return g
	}
	for of, want := range []int{0, 1, 0} {
		g, err := Decode(encode(t, two(of)))
		if err != nil || g.Meta.LabelsOf != want || len(g.Meta.Labels) != 2 {
			t.Errorf("labels of output %d: %q of %d, error %v", of, g.Meta.Labels, g.Meta.LabelsOf, err)
		}
	}
}
