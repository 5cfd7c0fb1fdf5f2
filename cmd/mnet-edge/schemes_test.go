package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/graphtest"
	"mnet-edge/graph/tflite"
)

// What no scheme can convert: one line that names the layer, exit code 3, no file. What looks like it and can be: an
// all-zero channel.
func TestConvertRefuses(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name   string
		spoil  func(w []float32) // of the layer "conv", (4, 3, 3, 3)
		flags  string
		stderr string // "" where it is converted
	}{
		{"NaN weight", func(w []float32) { w[7] = nan }, "", `"conv"`},
		{"infinite weight", func(w []float32) { w[7] = float32(math.Inf(1)) }, "", `"conv"`},
		{"zero channel", func(w []float32) { clear(w[27:54]) }, "", ""},
		{"zero weights", func(w []float32) { clear(w) }, "", ""},
		{"no images", nil, "--calib empty", "empty"},
	} {
		for _, scheme := range []string{"int8", "int16x8", "int4", "dynamic", "float16"} {
			dir := t.TempDir()
			in, out := filepath.Join(dir, "in.tflite"), filepath.Join(dir, "out.tflite")
			if err := os.WriteFile(in, classifier(t, c.spoil), 0o644); err != nil {
				t.Fatal(err)
			}
			data := "fashion-mini"
			if c.flags != "" {
				if data = filepath.Join(dir, "empty"); os.Mkdir(data, 0o755) != nil {
					t.Fatal("no folder")
				}
				if scheme == "dynamic" || scheme == "float16" {
					continue // they look at no images
				}
			}
			args := []string{"convert", "--" + scheme, "--calib", data, "--calib-samples", "4", "--eval", "0", "-o", out, in}
			code, stdout, stderr := command(args...)
			_, err := os.Stat(out)
			if c.stderr == "" {
				if code != exitOK || err != nil {
					t.Errorf("%s, %s: exit %d, %q", c.name, scheme, code, stderr)
				}
				continue
			}
			if code != exitInput || stdout != "" || !os.IsNotExist(err) || !strings.Contains(stderr, c.stderr) ||
				strings.Count(stderr, "mnet-edge: ") != 1 {
				t.Errorf("%s, %s: exit %d, %q, %v", c.name, scheme, code, stderr, err)
			}
		}
	}
}

// classifier is a float model of images 8x8 to 4 classes.
func classifier(t *testing.T, spoil func(w []float32)) []byte {
	t.Helper()
	weights := make([]float32, 4*3*3*3)
	for i := range weights {
		weights[i] = float32(i%11-5) / 10
	}
	if spoil != nil {
		spoil(weights)
	}
	g := graph.New("classifier")
	g.Level = graph.Folded
	g.Meta.Mean, g.Meta.Std = []float32{0}, []float32{255}
	x := g.Input("image", graphtest.Floats(1, 8, 8, 3))
	x = g.Apply("conv", graph.Conv2D{Window: graph.Dense(2, graph.Same)}, x,
		graph.Const("conv/w", graphtest.Floats(4, 3, 3, 3), weights), graphtest.Const("conv/b", nil, 4))
	g.Outputs = []*graph.Value{g.Apply("scores", graph.Mean{Axes: []int{1, 2}}, x)}
	b, err := tflite.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
