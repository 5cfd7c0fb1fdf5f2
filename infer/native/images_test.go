package native

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"mnet-edge/dataset"
	"mnet-edge/graph"
	"mnet-edge/infer"
	"mnet-edge/quant"
)

// Sixty-four real images: every tensor has graph/interp's bits, by every family and in both arithmetics. MNET_CIFAR10 names
// the images; the models are a trained one and those that MNET_MODELS lists.
func TestImages(t *testing.T) {
	archive := os.Getenv("MNET_CIFAR10")
	if archive == "" {
		t.Skip("MNET_CIFAR10 does not name a folder or archive of CIFAR-10's images")
	}
	set, err := dataset.Open(context.Background(), archive, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	images := set.Test.Limit(64)
	models := append(filepath.SplitList(os.Getenv("MNET_MODELS")), "../../graph/interp/testdata/vectors/cifar10/model.tflite")
	for _, path := range models {
		g := readModel(t, path)
		if shape := g.Inputs[0].Type.Shape; len(shape) != 4 || shape[1] != 32 || shape[2] != 32 || shape[3] != 3 {
			t.Fatalf("%s: an input of %v, want an image of 32 x 32 pixels", path, shape)
		}
		for _, r := range []quant.Rounding{quant.Float32, quant.Double} {
			t.Run(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path)+"/"+r.String(), func(t *testing.T) {
				t.Parallel()
				compareImages(t, g, r, &images)
			})
		}
	}
}

func compareImages(t *testing.T, g *graph.Graph, r quant.Rounding, images *dataset.Split) {
	m, want, err := watched(t, g, r)
	if err != nil {
		t.Fatal(err)
	}
	plans := map[Family]*plan{}
	for _, f := range Families() {
		if plans[f], err = newPlan(g, f, r, 1, planHooks{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range images.N {
		in, data := tensorOf(g.Inputs[0].Type.DType, images.Image(i))
		if _, err := m.Run(data); err != nil {
			t.Fatal(err)
		}
		for f, p := range plans {
			p.in.load(in)
			for _, s := range p.steps {
				do(s.work, 0)
				if !bytes.Equal(s.out.elements(), want[s.value]) {
					t.Fatalf("image %d: %s: %q differs", i, f, s.value.Name)
				}
			}
		}
	}
}

func readModel(t testing.TB, path string) *graph.Graph {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g, err := infer.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// tensorOf is an image as an input: the integer furthest down, or 0, is black.
func tensorOf(d graph.DType, rgb []byte) ([]byte, any) {
	switch d {
	case graph.Int8:
		in, data := make([]byte, len(rgb)), make([]int8, len(rgb))
		for i, pixel := range rgb {
			in[i] = pixel ^ flip
			data[i] = int8(in[i])
		}
		return in, data
	case graph.UInt8:
		return rgb, rgb
	}
	var in []byte
	data := make([]float32, len(rgb))
	for i, pixel := range rgb {
		data[i] = float32(pixel) / 255
		in = binary.LittleEndian.AppendUint32(in, math.Float32bits(data[i]))
	}
	return in, data
}
