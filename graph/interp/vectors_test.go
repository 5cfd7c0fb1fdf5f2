package interp

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/interp/interptest"
	"mnet-edge/graph/tflite"
)

// The official runtime's tensors, every one of a network, bit for bit. MNET_VECTORS names a directory of more folders,
// for networks too large to keep here.
func TestVectors(t *testing.T) {
	dirs, err := filepath.Glob("testdata/vectors/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	if more := os.Getenv("MNET_VECTORS"); more != "" {
		found, err := filepath.Glob(filepath.Join(more, "*"))
		if err != nil || len(found) == 0 {
			t.Fatalf("no vectors in MNET_VECTORS: %v", err)
		}
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			v := readVectors(t, dir)
			if again, err := tflite.Encode(v.Graph); err != nil {
				t.Error(err)
			} else if back, err := tflite.Decode(again); err != nil || back.String() != v.Graph.String() {
				t.Errorf("decoded, encoded and decoded it is another graph: %v", err)
			}
			for _, r := range v.Results {
				t.Run(r.Rounding.String(), func(t *testing.T) { testVectors(t, v, r) })
			}
		})
	}
}

func readVectors(t testing.TB, dir string) *interptest.Vectors {
	t.Helper()
	v, err := interptest.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// testVectors runs v's graph on every input and compares what each tensor sums to.
func testVectors(t *testing.T, v *interptest.Vectors, want interptest.Results) {
	var names, sums []string
	m := machine(t, v.Graph, Options{Rounding: want.Rounding, Tap: func(v *graph.Value, data any) {
		names, sums = append(names, v.Name), append(sums, interptest.Sum(littleEndian(t, data)))
	}})
	for i, image := range want.Images {
		names, sums = nil, nil
		got := numbers(run(t, m, decode(t, v.Graph.Inputs[0].Type, v.Inputs[i])))
		if !slices.Equal(names, want.Tensors) || len(image.Sums) != len(sums) {
			t.Fatalf("tensors\n%q\nwant\n%q", names, want.Tensors)
		}
		for k := range sums {
			if sums[k] != image.Sums[k] {
				t.Fatalf("image %d, tensor %d %q differs", i, k, names[k])
			}
		}
		if !slices.Equal(got, image.Output) {
			t.Fatalf("image %d: output %v, want %v", i, got, image.Output)
		}
	}
}

// decode is the tensor of the given type that b holds, little-endian.
func decode(t testing.TB, typ graph.Type, b []byte) any {
	var data any = make([]int8, typ.Elements())
	switch typ.DType {
	case graph.Float32:
		data = make([]float32, typ.Elements())
	case graph.Int16:
		data = make([]int16, typ.Elements())
	}
	if err := binary.Read(bytes.NewReader(b), binary.LittleEndian, data); err != nil {
		t.Fatal(err)
	}
	return data
}

func littleEndian(t testing.TB, data any) []byte {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, data); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func numbers(data any) (s []float64) {
	switch d := data.(type) {
	case []float32:
		for _, x := range d {
			s = append(s, float64(x))
		}
	case []int8:
		for _, x := range d {
			s = append(s, float64(x))
		}
	case []int16:
		for _, x := range d {
			s = append(s, float64(x))
		}
	}
	return s
}
