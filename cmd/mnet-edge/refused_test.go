package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/model"
)

// command runs the program within the test.
func command(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(append([]string{"mnet-edge"}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// untrained saves a checkpoint of the narrowest net, all weights zero but for the variances.
func untrained(t *testing.T, change func(*model.Spec)) string {
	t.Helper()
	spec := model.DefaultSpec(model.NetD)
	spec.Width = 1.0 / 32
	if change != nil {
		change(&spec)
	}
	c := &model.Checkpoint{Spec: spec, Input: model.Input{Mean: 128, Std: 64}, Weights: model.Weights{},
		Labels: []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}}
	for _, p := range spec.Params() {
		data := make([]float32, p.Count())
		if strings.HasSuffix(p.Name, "running_var") {
			for i := range data {
				data[i] = 1
			}
		}
		c.Weights[p.Name] = model.Tensor{Shape: p.Shape, Data: data}
	}
	dir := t.TempDir()
	if err := model.Save(dir, "net", c); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "net")
}

func photo(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "photo.png")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// A model cut short at 200 places is refused each time, with one line and exit code 3.
func TestCutModels(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole.tflite")
	if code, _, stderr := command("convert", "--float32", "-o", whole, untrained(t, nil)); code != exitOK {
		t.Fatal(stderr)
	}
	b, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	img, cut := photo(t), filepath.Join(t.TempDir(), "cut.tflite")
	for i := range 200 {
		if err := os.WriteFile(cut, b[:len(b)*i/200], 0o644); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := command("infer", "--model", cut, img)
		if code != exitInput || stdout != "" || !strings.HasPrefix(stderr, "mnet-edge: ") || strings.Count(stderr, "mnet-edge: ") != 1 {
			t.Errorf("cut at %d of %d: exit %d, %q, %q", len(b)*i/200, len(b), code, stdout, stderr)
		}
	}
}

// A model that is well formed but no image classifier, and one that does not say what its input means.
func TestModelsThatAreNoClassifiers(t *testing.T) {
	for _, c := range []struct {
		name   string
		shape  []int
		meta   graph.Meta
		stderr string
	}{
		{"a vector", []int{1, 12}, graph.Meta{Mean: []float32{0}, Std: []float32{1}}, "want an image"},
		{"one channel", []int{1, 4, 4, 1}, graph.Meta{Mean: []float32{0}, Std: []float32{1}}, "want an image"},
		{"no metadata", []int{1, 2, 2, 3}, graph.Meta{}, "--mean M --std S"},
	} {
		g := graph.New("odd")
		g.Level = graph.Folded
		g.Meta = c.meta
		n := 1
		for _, d := range c.shape {
			n *= d
		}
		x := g.Input("x", graph.Type{DType: graph.Float32, Shape: c.shape})
		g.Outputs = []*graph.Value{g.Apply("y", graph.Reshape{Shape: []int{1, n}}, x)}
		b, err := tflite.Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "odd.tflite")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if code, _, stderr := command("infer", "--model", path, photo(t)); code != exitInput || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: exit %d, %q", c.name, code, stderr)
		}
	}
}

// A checkpoint that holds another net's weights is refused, and no model is written.
func TestCheckpointOfAnotherNet(t *testing.T) {
	dir := untrained(t, nil)
	other := untrained(t, func(s *model.Spec) { s.Net = model.NetC })
	b, err := os.ReadFile(filepath.Join(other, "weights.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "weights.safetensors"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.tflite")
	code, _, stderr := command("convert", "--float32", "-o", out, dir)
	if code != exitInput || !strings.Contains(stderr, "weights.safetensors") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a model was written: %v", err)
	}
}

// Flags may stand before or behind the arguments, up to "--".
func TestIntersperse(t *testing.T) {
	app := newApp(nil, nil, nil)
	for _, c := range []struct{ in, want string }{
		{"x infer photo.png --json --top 3 b.png", "x infer --json --top 3 photo.png b.png"},
		{"x infer --top=3 photo.png -- --json", "x infer --top=3 -- photo.png --json"},
		{"x infer - --json", "x infer --json -"},
		{"x inspect D --width 3", "x inspect --width 3 D"},
		{"x --version", "x --version"},
		{"x unknown a --b", "x unknown a --b"},
	} {
		if got := fmt.Sprint(intersperse(app, strings.Fields(c.in))); got != fmt.Sprint(strings.Fields(c.want)) {
			t.Errorf("%s: %s", c.in, got)
		}
	}
}
