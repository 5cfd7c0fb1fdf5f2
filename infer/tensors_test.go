package infer

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"

	"mnet-edge/quant"
)

// Tensor by tensor, a runtime is told by its rounding; what differs in the others is counted.
func TestVerifyTensors(t *testing.T) {
	model, err := os.ReadFile("../graph/interp/testdata/vectors/cifar10/model.tflite")
	if err != nil {
		t.Fatal(err)
	}
	in := make([]byte, 32*32*3)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range in {
		in[i] = byte(r.IntN(256))
	}
	for _, rounding := range []quant.Rounding{quant.Double, quant.Float32} {
		v, err := VerifyTensors(context.Background(), []Runtime{NewReference(rounding)}, model, Options{}, [][]byte{in})
		if err != nil {
			t.Fatal(err)
		}
		if v.Match != rounding.String() || len(v.Differ) > 0 || v.Tensors != 29 || v.Runtime != ReferenceName {
			t.Errorf("%v: %+v", rounding, v)
		}
		other := quant.Double + quant.Float32 - rounding
		for _, m := range v.Modes {
			if m.Rounding == other.String() && m.Equal == v.Tensors {
				t.Errorf("%v taken for %v as well: %+v", rounding, other, v.Modes)
			}
		}
	}
	if _, err := VerifyTensors(context.Background(), nil, model, Options{}, nil); err == nil {
		t.Error("verified on no runtime")
	}
}
