package native

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"mnet-edge/graph/interp/interptest"
	"mnet-edge/infer"
	"mnet-edge/quant"
)

// The official runtimes' tensors, every one of a network, bit for bit, by every family.
func TestVectors(t *testing.T) {
	dirs, err := filepath.Glob("../../graph/interp/testdata/vectors/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, dir := range dirs {
		v, err := interptest.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(beyond, v.Name) {
			if _, err := newPlan(v.Graph, Portable, quant.Float32, 1, planHooks{}); !errors.Is(err, infer.ErrUnavailable) {
				t.Errorf("%s: %v, want it left to another runtime", dir, err)
			}
			continue
		}
		if len(v.Results) < 2 {
			t.Errorf("%s has not the results of both arithmetics", dir)
		}
		for _, r := range v.Results {
			for _, f := range Families() {
				t.Run(v.Name+"/"+r.Rounding.String()+"/"+string(f), func(t *testing.T) { testVectors(t, v, r, f) })
			}
		}
	}
}

// beyond are the models of number formats that this engine does not have.
var beyond = []string{"hybrid", "int16", "int4", "moves16", "tf_dynamic", "tf_int16x8"}

func testVectors(t *testing.T, v *interptest.Vectors, want interptest.Results, family Family) {
	p, err := newPlan(v.Graph, family, want.Rounding, 1, planHooks{})
	if err != nil {
		t.Fatal(err)
	}
	for i, image := range want.Images {
		seen := 1 // the input
		p.in.load(v.Inputs[i])
		for _, s := range p.steps {
			do(s.work, 0)
			at := slices.Index(want.Tensors, s.value.Name)
			if at < 0 {
				t.Fatalf("the vectors have no tensor %q", s.value.Name)
			}
			if interptest.Sum(s.out.elements()) != image.Sums[at] {
				t.Fatalf("image %d, tensor %d %q differs", i, at, s.value.Name)
			}
			seen++
		}
		if fused := len(v.Graph.Nodes) - len(p.steps); seen+fused != len(want.Tensors) {
			t.Fatalf("%d tensors compared and %d fused away, of %d", seen, fused, len(want.Tensors))
		}
	}
}

// elements are the buffer's as dense bytes.
func (b *buffer) elements() []byte {
	out := make([]byte, b.pixels*b.channels*b.dtype.Size())
	b.store(out)
	return out
}
