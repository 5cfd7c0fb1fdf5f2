package infer_test

import (
	"errors"
	"math"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/quant"
)

// behind puts a softmax, or if beta is 0 a sigmoid, behind the network of the tests, and what follows it there.
func behind(t *testing.T, kind infertest.Kind, beta float32, follows ...graph.Op) []byte {
	return small(t, kind, func(g *graph.Graph) {
		v := g.Outputs[0]
		head := graph.Op(graph.Softmax{Beta: beta})
		if beta == 0 {
			head = graph.Unary{Fn: graph.Logistic}
		}
		for _, op := range append([]graph.Op{head}, follows...) {
			if v = g.Apply("and then "+op.Name(), op, v); v.Type.DType == graph.Int8 {
				v.Type.Quant = quant.PerTensor(1./256, -128)
			}
		}
		g.Outputs[0] = v
	})
}

// What a model ends in decides what its scores are: of one that ends in a softmax or a sigmoid they are the probabilities.
func TestSoftmax(t *testing.T) {
	for _, c := range []struct {
		name          string
		model         []byte
		probabilities bool
	}{
		{"logits", small(t, infertest.Float, func(*graph.Graph) {}), false},
		{"softmax", behind(t, infertest.Float, 1), true},
		{"int8", behind(t, infertest.Int8, 1), true},
		{"int8, then float", behind(t, infertest.Int8, 1, graph.Dequantize{}), true},
		{"in another shape", behind(t, infertest.Float, 1, graph.Reshape{Shape: []int{1, 1, 5}}), true},
		{"sigmoid", behind(t, infertest.Float, 0), true},
		{"sigmoid, int8, then float", behind(t, infertest.Int8, 0, graph.Dequantize{}), true},
		{"an activation behind", behind(t, infertest.Float, 1, graph.Activate{Act: graph.ReLU}), false},
	} {
		m, err := infer.Load(c.model, infer.Given{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		scores := []float32{0.5, 0.25, 0.125, 0.125, 0}
		want := 0.5
		if !c.probabilities {
			sum := 0.
			for _, s := range scores {
				sum += math.Exp(float64(s))
			}
			want = math.Exp(0.5) / sum
		}
		if p := m.TopK(scores, 1)[0]; p.Index != 0 || math.Abs(p.Probability-want) > 1e-9 {
			t.Errorf("%s: %+v, want probability %v", c.name, p, want)
		}
	}
}

// LoadLogits gives the network as it was before the softmax was put behind it, to the last byte of its text.
func TestLoadLogits(t *testing.T) {
	for _, kind := range []infertest.Kind{infertest.Float, infertest.Int8} {
		plain := small(t, kind, func(*graph.Graph) {})
		want, err := tflite.Decode(plain)
		if err != nil {
			t.Fatal(err)
		}
		for name, model := range map[string][]byte{"logits": plain, "softmax": behind(t, kind, 1), "in another shape": behind(t, kind, 1, graph.Reshape{Shape: []int{1, 5}})} {
			m, file, err := infer.LoadLogits(model, infer.Given{})
			if err != nil {
				t.Fatalf("%v, %s: %v", kind, name, err)
			}
			got, err := tflite.Decode(file)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != want.String() || m.Classes != 5 || m.Labels[4] != "class 4" || m.Mean != [3]float32{125, 123, 114} {
				t.Errorf("%v, %s: %+v of\n%v\nwant\n%v", kind, name, m, got, want)
			}
		}
		for _, beta := range []float32{0, 2} {
			if _, _, err := infer.LoadLogits(behind(t, kind, beta), infer.Given{}); !errors.Is(err, infer.ErrModel) {
				t.Errorf("%v, beta %v: error %v, want ErrModel", kind, beta, err)
			}
		}
	}
}
