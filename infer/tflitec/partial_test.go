//go:build tflite && cgo

package tflitec_test

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"mnet-edge/convert"
	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/infer/tflitec"
	"mnet-edge/quant"
)

// Float files of TensorFlow's converter, and what convert makes of them where a part has no integer form: TFLite takes it,
// by itself and with XNNPACK, and gives the interpreter's results but for the last bits of a float32, which may tip an
// integer behind.
func TestPartial(t *testing.T) {
	for _, name := range []string{"tf_curves", "tf_blocks"} {
		file, err := os.ReadFile("../../graph/tflite/testdata/" + name + ".tflite")
		if err != nil {
			t.Fatal(err)
		}
		nearly(t, name, file, 1e-5)
		for scheme, within := range map[convert.Scheme]float64{convert.Int8: 0.02, convert.Int16x8: 0.001} {
			g, err := tflite.Decode(file)
			if err != nil {
				t.Fatal(err)
			}
			samples := slices.Values(randomImages(16, g.Inputs[0].Type.Elements()))
			res, err := convert.Run(context.Background(), g, convert.Recipe{Scheme: scheme, Partial: true}, samples, nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := tflite.Encode(res.Graph)
			if err != nil {
				t.Fatal(err)
			}
			nearly(t, name+" "+string(scheme), b, within)
		}
	}
}

// nearly compares a model's results with the interpreter's.
func nearly(t *testing.T, name string, b []byte, within float64) {
	t.Helper()
	for _, delegate := range []string{infer.NoDelegate, tflitec.XNNPACK} {
		rounding := quant.DoubleUp
		if delegate == tflitec.XNNPACK {
			rounding = quant.Float32
		}
		s, err := tflitec.New().Open(b, infer.Options{Delegate: delegate})
		if err != nil {
			t.Fatalf("%s, %q: %v", name, delegate, err)
		}
		defer s.Close()
		r, err := infer.NewReference(rounding).Open(b, infer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(5, 6))
		in := make([]byte, s.Input().Type.Bytes())
		for i := range in {
			in[i] = byte(random.IntN(256))
		}
		if s.Input().Type.DType == graph.Float32 {
			for i := 0; i < len(in); i += 4 {
				binary.LittleEndian.PutUint32(in[i:], math.Float32bits(random.Float32()))
			}
		}
		if worst := infertest.Apart(s.Output().Type.DType, run(t, s, in), run(t, r, in), 0); worst > within {
			t.Errorf("%s, %q: off by %v of the largest", name, delegate, worst)
		}
	}
}
