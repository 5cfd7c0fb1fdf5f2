package native

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/quant"
)

// The official runtimes' tensors, every one of a network, bit for bit, by every family. The vectors are those that
// graph/interp is held to, and described there.
func TestVectors(t *testing.T) {
	dirs, err := filepath.Glob("../../graph/interp/testdata/vectors/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, dir := range dirs {
		g, err := tflite.Decode(readFile(t, dir, "model.tflite"))
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(beyond, filepath.Base(dir)) {
			if _, err := newPlan(g, Portable, quant.Float32, 1, planHooks{}); !errors.Is(err, infer.ErrUnavailable) {
				t.Errorf("%s: %v, want it left to another runtime", dir, err)
			}
			continue
		}
		inputs := unzip(t, readFile(t, dir, "inputs.bin.gz"))
		for _, c := range []struct {
			file     string
			rounding quant.Rounding
		}{{"ref.json", quant.Double}, {"xnnpack.json", quant.Float32}} {
			var v vectors
			if err := json.Unmarshal(readFile(t, dir, c.file), &v); err != nil {
				t.Fatal(err)
			}
			for _, f := range Families() {
				t.Run(filepath.Base(dir)+"/"+c.rounding.String()+"/"+string(f), func(t *testing.T) {
					v.test(t, g, f, c.rounding, inputs)
				})
			}
		}
	}
}

// beyond are the models of number formats that this engine does not have.
var beyond = []string{"hybrid", "int16", "int4", "tf_dynamic", "tf_int16x8"}

// vectors are, of a ref.json or xnnpack.json, the names of the tensors and the beginning of their SHA-256.
type vectors struct {
	Tensors []string `json:"tensors"`
	Images  []struct {
		Sums []string `json:"sums"`
	} `json:"images"`
}

func (v *vectors) test(t *testing.T, g *graph.Graph, family Family, r quant.Rounding, inputs []byte) {
	p, err := newPlan(g, family, r, 1, planHooks{})
	if err != nil {
		t.Fatal(err)
	}
	size := g.Inputs[0].Type.Bytes()
	if len(v.Images) == 0 || len(inputs) != len(v.Images)*size {
		t.Fatalf("%d images of %d bytes, %d bytes of inputs", len(v.Images), size, len(inputs))
	}
	for i, image := range v.Images {
		seen := 1 // the input
		p.in.load(inputs[i*size:][:size])
		for _, s := range p.steps {
			s.run()
			at := slices.Index(v.Tensors, s.value.Name)
			if at < 0 {
				t.Fatalf("the vectors have no tensor %q", s.value.Name)
			}
			if got := sum(s.out.elements()); got != image.Sums[at] {
				t.Fatalf("image %d, tensor %d %q differs", i, at, s.value.Name)
			}
			seen++
		}
		if fused := len(g.Nodes) - len(p.steps); seen+fused != len(v.Tensors) {
			t.Fatalf("%d tensors compared and %d fused away, of %d", seen, fused, len(v.Tensors))
		}
	}
}

// elements are the buffer's as dense bytes.
func (b *buffer) elements() []byte {
	out := make([]byte, b.pixels*b.channels*b.dtype.Size())
	b.store(out)
	return out
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])[:16]
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
