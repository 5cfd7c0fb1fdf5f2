package interp

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"mnet-edge/graph/interp/interptest"
	"mnet-edge/graph/tflite"
)

// What moves elements, and reductions, as TensorFlow's converter writes them: of whole numbers the results are those of
// TensorFlow Lite's reference kernels, bit for bit. graph/tflite/testdata/make.py makes the files.
func TestMoves(t *testing.T) {
	const from = "../tflite/testdata/tf_moves"
	model, err := os.ReadFile(from + ".tflite")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(from + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line) // what it is, its tensor's name, shape, sum
		want[words[1]] = words[0] + " " + words[2] + " " + words[3]
	}
	g, err := tflite.Decode(model)
	if err != nil {
		t.Fatal(err)
	}
	again, err := tflite.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{model, again} {
		g, err := tflite.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, g.Inputs[0].Type.Elements())
		for i := range x {
			x[i] = float32((37*i+11)%101 - 50)
		}
		out, err := machine(t, g, Options{}).Run(x)
		if err != nil {
			t.Fatal(err)
		}
		if len(out) != len(want) {
			t.Errorf("%d results: want %d", len(out), len(want))
		}
		for i, v := range g.Outputs {
			shape := strings.ReplaceAll(strings.Trim(fmt.Sprint(v.Type.Shape), "[]"), " ", "x")
			if got := shape + " " + interptest.Sum(littleEndian(t, out[i])); !strings.HasSuffix(want[v.Name], " "+got) {
				t.Errorf("%s is %s: want %s\n%v", v.Name, got, want[v.Name], out[i])
			}
		}
	}
}
