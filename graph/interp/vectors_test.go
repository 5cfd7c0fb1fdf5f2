package interp

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/quant"
)

// vectors is a ref.json or xnnpack.json, which testdata/vectors.py describes and makes.
type vectors struct {
	Kernels string   `json:"kernels"`
	Runtime string   `json:"runtime"`
	Model   string   `json:"model_sha256"`
	Inputs  string   `json:"inputs_sha256"`
	Tensors []string `json:"tensors"`
	Left    []string `json:"left"`
	Images  []struct {
		Sums   []string  `json:"sums"`
		Output []float64 `json:"output"`
	} `json:"images"`
}

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
			model, inputs := readFile(t, dir, "model.tflite"), unzip(t, readFile(t, dir, "inputs.bin.gz"))
			g, err := tflite.Decode(model)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := tflite.Encode(g); err != nil {
				t.Error(err)
			} else if back, err := tflite.Decode(again); err != nil || back.String() != g.String() {
				t.Errorf("decoded, encoded and decoded it is another graph: %v", err)
			}
			for _, c := range []struct {
				file     string
				rounding quant.Rounding
			}{{"ref.json", quant.Double}, {"xnnpack.json", quant.Float32}} {
				t.Run(c.rounding.String(), func(t *testing.T) {
					if _, err := os.Stat(filepath.Join(dir, c.file)); c.file == "xnnpack.json" && err != nil {
						t.Skip("XNNPACK's arithmetic of this model is not followed")
					}
					var v vectors
					d := json.NewDecoder(bytes.NewReader(readFile(t, dir, c.file)))
					d.DisallowUnknownFields()
					if err := d.Decode(&v); err != nil {
						t.Fatal(err)
					}
					if v.Model != sum(model) || v.Inputs != sum(inputs) {
						t.Fatal("the vectors are of another model or other inputs")
					}
					v.test(t, g, c.rounding, inputs)
				})
			}
		})
	}
}

// test runs g on every image and compares what each tensor sums to.
func (v *vectors) test(t *testing.T, g *graph.Graph, r quant.Rounding, inputs []byte) {
	size := g.Inputs[0].Type.Bytes()
	if len(v.Images) == 0 || len(inputs) != len(v.Images)*size {
		t.Fatalf("%d images of %d bytes, %d bytes of inputs", len(v.Images), size, len(inputs))
	}
	var names, sums []string
	m := machine(t, g, Options{Rounding: r, Tap: func(v *graph.Value, data any) {
		names, sums = append(names, v.Name), append(sums, sum(littleEndian(t, data))[:16])
	}})
	for i, want := range v.Images {
		names, sums = nil, nil
		got := numbers(run(t, m, decode(t, g.Inputs[0].Type, inputs[i*size:(i+1)*size])))
		if !slices.Equal(names, v.Tensors) || len(want.Sums) != len(sums) {
			t.Fatalf("tensors\n%q\nwant\n%q", names, v.Tensors)
		}
		for k := range sums {
			if sums[k] != want.Sums[k] {
				t.Fatalf("image %d, tensor %d %q differs", i, k, names[k])
			}
		}
		if !slices.Equal(got, want.Output) {
			t.Fatalf("image %d: output %v, want %v", i, got, want.Output)
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

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func readFile(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unzip(t testing.TB, b []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	return b
}
