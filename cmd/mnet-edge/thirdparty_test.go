package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mnet-edge/graph/tflite"
	"mnet-edge/infer/infertest"
)

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Models of the TensorFlow converter say nothing about their input: without flags they are refused with what is missing,
// with them they run.
func TestModelsOfTheConverter(t *testing.T) {
	uint8Model, err := infertest.UInt8Model()
	if err != nil {
		t.Fatal(err)
	}
	codec := filepath.Join("..", "..", "graph", "tflite", "testdata")
	for name, path := range map[string]string{
		"uint8": write(t, "m.tflite", uint8Model), "int8": filepath.Join(codec, "tf_int8io.tflite"), "float32": filepath.Join(codec, "tf_float.tflite"),
		"float16": filepath.Join(codec, "tf_float16.tflite"), "dynamic": filepath.Join(codec, "tf_dynamic.tflite"),
	} {
		img := photo(t)
		code, _, stderr := command("infer", "--model", path, img)
		if code != exitInput || !strings.Contains(stderr, "mean and std of its input are unknown") || !strings.Contains(stderr, "hint: say how pixels become its input: --mean M --std S") {
			t.Errorf("%s without metadata: exit %d, %q", name, code, stderr)
		}
		labels := write(t, "labels.txt", []byte("\ufeffa\r\nb\r\nc\r\nd\r\ne\r\n"))
		for _, delegate := range []string{"auto", "reference"} {
			code, stdout, stderr := command("infer", "--model", path, "--mean", "0", "--std", "255", "--labels", labels, "--delegate", delegate, "--json", img)
			if code != exitOK || !strings.Contains(stdout, `"label":"a"`) {
				t.Errorf("%s on %s: exit %d, %q, %q", name, delegate, code, stdout, stderr)
			}
		}
	}
}

// Labels are an error where they are not one name a class, never a guess.
func TestLabelsRefused(t *testing.T) {
	b, err := infertest.UInt8Model()
	if err != nil {
		t.Fatal(err)
	}
	path, img := write(t, "m.tflite", b), photo(t)
	for _, c := range []struct{ text, want string }{
		{"a\nb\nc\nd\n", "4 labels for 5 classes"},
		{"a\nb\nc\nd\ne\nf\n", "6 labels for 5 classes"},
		{"", "1 labels for 5 classes"},
		{"a\nb\nc\n\nd\n", `label 3 is ""`},
		{"a\rb\rc\rd\re\r", "1 labels for 5 classes"},
		{"a\nb\nc\x1b[2J\nd\ne\n", `label 2 is "c\x1b[2J"`},
		{"a\nb\nc\nd\ne\xff\n", `label 4 is "e\xff"`},
	} {
		code, stdout, stderr := command("infer", "--model", path, "--mean", "0", "--std", "255", "--labels", write(t, "labels.txt", []byte(c.text)), img)
		if code != exitInput || stdout != "" || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "\x1b") {
			t.Errorf("%q: exit %d, %q, %q", c.text, code, stdout, stderr)
		}
	}
}

// Names in a model may have control characters; what is printed has none.
func TestPlainOutput(t *testing.T) {
	g, err := infertest.Net(infertest.Small, infertest.Int8, 1)
	if err != nil {
		t.Fatal(err)
	}
	g.Name, g.Meta.Author = "net\x1b]0;title\x07", "\u009b2J"
	for _, n := range g.Nodes {
		n.Out.Name += "\x1b[2J\u009b2J\r"
	}
	b, err := tflite.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, "m.tflite", b)
	for _, args := range [][]string{
		{"inspect", path}, {"inspect", "--json", path}, {"infer", "--profile", "--model", path, "--delegate", "reference", "--num-runs", "1", photo(t)},
	} {
		code, stdout, stderr := command(args...)
		if code != exitOK || stdout == "" || strings.ContainsAny(stdout+stderr, "\x1b\x07\r\u009b") {
			t.Errorf("%v: exit %d, %q, %q", args, code, stdout, stderr)
		}
	}
}

func TestPlainWriter(t *testing.T) {
	var s strings.Builder
	w := &plainWriter{to: &s}
	for _, part := range []string{"a\tb\x1b[2J\n", "é\xc2", "\x9b \x7f\x00", "à la carte Â\u00a0"} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if want := "a\tb?[2J\né¿ ??à la carte Â\u00a0"; s.String() != want {
		t.Errorf("%q, want %q", s.String(), want)
	}
}
