//go:build tflite && cgo

package tflitec_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"slices"
	"testing"

	clib "github.com/tphakala/go-tflite"

	"mnet-edge/convert"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/infer/tflitec"
)

// A file of TensorFlow's converter that ends in operators that nobody here knows. TFLite takes what DecodeHead and Encode make
// of it, with the same results; behind an int8 head it gives what the head's own scores ask for.
func TestTail(t *testing.T) {
	file, err := os.ReadFile("../../graph/tflite/testdata/tf_tail.tflite")
	if err != nil {
		t.Fatal(err)
	}
	g, tail, err := tflite.DecodeHead(file)
	if err != nil {
		t.Fatal(err)
	}
	same, err := tail.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	images := randomImages(64, g.Inputs[0].Type.Elements())
	res, err := convert.Run(context.Background(), g, convert.Recipe{Scheme: convert.Int8, Partial: true, FloatIO: true}, slices.Values(images), nil)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := tail.Encode(res.Graph)
	if err != nil {
		t.Fatal(err)
	}
	head, err := tflite.Encode(res.Graph)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tflitec.New().Open(head, infer.Options{Delegate: infer.NoDelegate}) // which loads the library too
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, b, c := interpreterOf(t, file), interpreterOf(t, same), interpreterOf(t, whole)
	agree := 0
	for _, x := range images {
		in, err := binary.Append(nil, binary.LittleEndian, x)
		if err != nil {
			t.Fatal(err)
		}
		want, got, int8 := outputs(t, a, in), outputs(t, b, in), outputs(t, c, in)
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("output %d is %x, of the file that was read %x", i, got[i], want[i])
			}
		}
		// The outputs are three highest values, the best class, the scores, and three classes.
		if scores := run(t, s, in); !bytes.Equal(int8[2], scores) {
			t.Fatalf("scores %x behind an int8 head that gives %x", int8[2], scores)
		}
		if bytes.Equal(int8[1], want[1]) {
			agree++
		}
	}
	if agree < 58 {
		t.Errorf("behind an int8 head %d of 64 images are of the same class", agree)
	}
}

func interpreterOf(t *testing.T, b []byte) *clib.Interpreter {
	t.Helper()
	m := clib.NewModel(b)
	if m == nil {
		t.Fatal("TFLite does not take the model")
	}
	t.Cleanup(m.Delete)
	i := clib.NewInterpreter(m, nil)
	if i == nil || i.AllocateTensors() != clib.OK {
		t.Fatal("TFLite does not take the model's operators")
	}
	t.Cleanup(i.Delete)
	return i
}

func outputs(t *testing.T, i *clib.Interpreter, in []byte) [][]byte {
	t.Helper()
	if i.GetInputTensor(0).CopyFromBuffer(in); i.Invoke() != clib.OK {
		t.Fatal("TFLite does not run the model")
	}
	var all [][]byte
	for k := range i.GetOutputTensorCount() {
		v := i.GetOutputTensor(k)
		b := make([]byte, v.ByteSize())
		v.CopyToBuffer(b)
		all = append(all, b)
	}
	return all
}
