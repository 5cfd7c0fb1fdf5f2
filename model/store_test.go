package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// tiny is a whole checkpoint of a few thousand values, different for each step.
func tiny(step int64) *Checkpoint {
	spec := Spec{Net: NetD, Width: 1.0 / 64, MidReLU: true, Padding: PadSame, Classes: 2, Size: 16}
	rng := rand.New(rand.NewPCG(uint64(step), 1))
	c := &Checkpoint{
		Spec: spec, Input: Input{Mean: 120, Std: 64.25}, Labels: []string{"cat", `a "dog" <b> ü`}, Weights: Weights{}, Step: step, Epoch: 3,
		Metrics: map[string]float64{"val_top1": 0.1 + 0.2}, State: map[string]string{"seed": "7"},
		Optimizer: Weights{"momentum.linear.bias": {Shape: []int{2}, Data: []float32{0.5, float32(step)}}},
	}
	for _, p := range spec.Params() {
		d := make([]float32, p.Count())
		for i := range d {
			d[i] = rng.Float32() - 0.5
		}
		c.Weights[p.Name] = Tensor{Shape: p.Shape, Data: d}
	}
	return c
}

func equal(a, b *Checkpoint) bool { return reflect.DeepEqual(a, b) }

// For tests outside the package, as those with modeltest's file system must be.
var Tiny, LoadFolder = tiny, loadFolder

func TestSaveLoad(t *testing.T) {
	dir := t.TempDir()
	for step := range int64(3) {
		want := tiny(step)
		if step == 2 {
			want.Optimizer = nil
		}
		if err := Save(filepath.Join(dir, "checkpoint"), "best", want); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{dir, filepath.Join(dir, "checkpoint", "best")} {
			got, note, err := Load(path)
			if err != nil || note != "" {
				t.Fatalf("Load(%s): note %q, error %v", path, note, err)
			}
			if !equal(got, want) {
				t.Errorf("step %d: loaded another checkpoint than saved", step)
			}
		}
	}
	want := tiny(9)
	if err := Save(filepath.Join(dir, "checkpoint"), "last", want); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "checkpoint", "best")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "checkpoint", "best.old")); err != nil {
		t.Fatal(err)
	}
	if got, note, err := Load(dir); err != nil || note != "" || got.Step != 9 {
		t.Errorf("run folder without best: note %q, error %v", note, err)
	}
}

func TestSaveRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Checkpoint){
		"infinite weight":   func(c *Checkpoint) { c.Weights["linear.bias"].Data[1] = float32(math.Inf(-1)) },
		"NaN in momentum":   func(c *Checkpoint) { c.Optimizer["momentum.linear.bias"].Data[0] = float32(math.NaN()) },
		"missing parameter": func(c *Checkpoint) { delete(c.Weights, "bn1.running_var") },
		"label count":       func(c *Checkpoint) { c.Labels = c.Labels[:1] },
		"label in Latin-1":  func(c *Checkpoint) { c.Labels[0] = "caf\xe9" },
		"state in Latin-1":  func(c *Checkpoint) { c.State = map[string]string{"note": "caf\xe9"} },
	} {
		dir, c := t.TempDir(), tiny(1)
		spoil(c)
		if err := Save(dir, "last", c); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: error %v, want ErrCheckpoint", name, err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: left %v behind", name, left)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "last")
	manifestOf := func(change func(*manifest)) func() {
		return func() {
			m, err := decodeManifest(read(t, filepath.Join(at, manifestFile)))
			if err != nil {
				t.Fatal(err)
			}
			change(&m)
			text, err := m.encode()
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(at, manifestFile), text)
		}
	}
	for _, c := range []struct {
		name, message string
		spoil         func()
	}{
		{"nothing there", "no checkpoint at", func() { os.RemoveAll(at) }},
		{"no manifest", "no checkpoint at", func() { os.Remove(filepath.Join(at, manifestFile)) }},
		{"no weights", "weights.safetensors is missing", func() { os.Remove(filepath.Join(at, weightsFile)) }},
		{"a folder for weights", "want a file", func() {
			os.Remove(filepath.Join(at, weightsFile))
			os.Mkdir(filepath.Join(at, weightsFile), 0o755)
		}},
		{"weights of another run", "the manifest says", func() {
			var b bytes.Buffer
			writeSafetensors(&b, tiny(5).Weights)
			write(t, filepath.Join(at, weightsFile), b.Bytes())
		}},
		{"edited manifest", "sha256", func() {
			text := read(t, filepath.Join(at, manifestFile))
			write(t, filepath.Join(at, manifestFile), bytes.Replace(text, []byte(`"epoch": 3`), []byte(`"epoch": 4`), 1))
		}},
		{"later version", "version 2", manifestOf(func(m *manifest) { m.Version = 2 })},
		{"another net", "has shape", manifestOf(func(m *manifest) { m.Spec.Classes, m.Labels = 3, []string{"a", "b", "c"} })},
		{"spec out of range", "width", manifestOf(func(m *manifest) { m.Spec.Width = 1e9 })},
		{"file outside", "unknown file", manifestOf(func(m *manifest) { m.Files["../../x"] = m.Files[weightsFile] })},
		{"no std", "std", manifestOf(func(m *manifest) { m.Input.Std = 0 })},
		{"non-finite weight", "holds NaN", func() {
			w := tiny(1).Weights
			w["conv1.weight"].Data[3] = float32(math.NaN())
			var b bytes.Buffer
			writeSafetensors(&b, w)
			write(t, filepath.Join(at, weightsFile), b.Bytes())
			manifestOf(func(m *manifest) { m.Files[weightsFile] = fingerprintOf(b.Bytes()) })()
		}},
	} {
		os.RemoveAll(at)
		if err := Save(dir, "last", tiny(1)); err != nil {
			t.Fatal(err)
		}
		c.spoil()
		_, _, err := Load(at)
		if !errors.Is(err, ErrCheckpoint) || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: error %v, want ErrCheckpoint with %q", c.name, err, c.message)
		}
		os.RemoveAll(at + ".old")
	}
}

// Damage anywhere is seen: Load falls back to the checkpoint before and says so, or, for damage that leaves no trace of a
// checkpoint, refuses.
func TestLoadDamaged(t *testing.T) {
	dir := t.TempDir()
	for step := range int64(2) {
		if err := Save(dir, "last", tiny(step)); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(3, 3))
	before := tiny(0)
	for i := range 2000 {
		name := []string{weightsFile, optimizerFile, manifestFile}[i%3]
		path := filepath.Join(dir, "last", name)
		whole := read(t, path)
		bad := bytes.Clone(whole)
		switch at := rng.IntN(len(whole)); i / 3 % 4 {
		case 0:
			bad[at] ^= 1 << rng.IntN(8)
		case 1:
			bad = bad[:at]
		case 2:
			bad = append(bad[:at:at], whole[rng.IntN(len(whole)):]...)
		case 3:
			bad = append(bad, byte(rng.Uint32()))
		}
		if bytes.Equal(bad, whole) {
			continue
		}
		write(t, path, bad)
		got, note, err := Load(filepath.Join(dir, "last"))
		if err != nil || !equal(got, before) || !strings.Contains(note, "step 0") {
			t.Fatalf("mutant %d of %s: step %v, note %q, error %v; want the checkpoint before and a note", i, name, got, note, err)
		}
		write(t, path, whole)
	}
}

// A run's best checkpoint that has lost its manifest is not one that never was: that "last" serves is said.
func TestLoadWithoutManifest(t *testing.T) {
	run := t.TempDir()
	dir := filepath.Join(run, "checkpoint")
	if err := errors.Join(Save(dir, "best", tiny(1)), Save(dir, "last", tiny(2))); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "best", manifestFile)); err != nil {
		t.Fatal(err)
	}
	c, note, err := Load(run)
	if err != nil || c.Step != 2 || !strings.Contains(note, "best has no manifest.json") || !strings.Contains(note, "using "+filepath.Join(dir, "last")) {
		t.Errorf("%+v, note %q, error %v", c, note, err)
	}
}

func TestSafetensorsHeader(t *testing.T) {
	file := func(header string, values int) []byte {
		b := append([]byte{byte(len(header)), byte(len(header) >> 8), 0, 0, 0, 0, 0, 0}, header...)
		return append(b, make([]byte, values)...)
	}
	good := `{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]},"bn.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}  `
	ws, err := readSafetensors(file(good, 16))
	if err != nil || len(ws) != 1 || len(ws["b"].Data) != 2 {
		t.Fatalf("PyTorch's file: %v, error %v", ws, err)
	}
	one := func(s string) string { return `{"a":` + s + `}` }
	for _, c := range []struct {
		header string
		values int
	}{
		{`{}`, 1}, {`[]`, 0}, {`{`, 0}, {``, 0}, {`{} x`, 0},
		{one(`{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`), 7},
		{one(`{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`), 9},
		{one(`{"dtype":"F32","shape":[2],"data_offsets":[0,4]}`), 4},
		{one(`{"dtype":"F32","shape":[2],"data_offsets":[4,12]}`), 12},
		{one(`{"dtype":"F32","shape":[2],"data_offsets":[8,0]}`), 8},
		{one(`{"dtype":"F32","shape":[2],"data_offsets":[0,8,16]}`), 8},
		{one(`{"dtype":"F32","shape":[-1],"data_offsets":[0,-4]}`), 0},
		{one(`{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`), 0},
		{one(`{"dtype":"F32","shape":[2147483647,2147483647,2147483647,4],"data_offsets":[0,16]}`), 16},
		{one(`{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}`), 4},
		{one(`{"dtype":"F16","shape":[2],"data_offsets":[0,4]}`), 4},
		{one(`{"dtype":"I64","shape":[1],"data_offsets":[0,8]}`), 8},
		{one(`{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}`), 4},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4},
	} {
		if _, err := readSafetensors(file(c.header, c.values)); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s with %d bytes: error %v, want ErrCheckpoint", c.header, c.values, err)
		}
	}
	for _, b := range [][]byte{nil, {1, 2, 3}, {255, 255, 255, 255, 255, 255, 255, 255, '{', '}'}} {
		if _, err := readSafetensors(b); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("% x: error %v, want ErrCheckpoint", b, err)
		}
	}
}

// What is read can be written and read again, and hostile bytes give an error at most.
func FuzzSafetensors(f *testing.F) {
	var b bytes.Buffer
	if err := writeSafetensors(&b, tiny(1).Optimizer); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ws, err := readSafetensors(data)
		if err != nil {
			if !errors.Is(err, ErrCheckpoint) {
				t.Fatalf("error %v is no refusal", err)
			}
			return
		}
		var b bytes.Buffer
		if err := writeSafetensors(&b, ws); err != nil {
			t.Fatal(err)
		}
		again, err := readSafetensors(b.Bytes())
		if err != nil || len(again) != len(ws) {
			t.Fatalf("written again: %d tensors, error %v", len(again), err)
		}
	})
}

// Whatever a manifest says, under a checksum of its own: what is taken is of a network that there is, and of files that belong to a checkpoint.
func FuzzManifest(f *testing.F) {
	text, err := manifest{Format: formatName, Version: formatVersion, Spec: DefaultSpec(NetD), Files: map[string]fingerprint{weightsFile: {}}}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		var m manifest
		if json.Unmarshal(text, &m) == nil {
			if own, err := m.encode(); err == nil {
				text = own
			}
		}
		m, err := decodeManifest(text)
		if err != nil {
			return
		}
		if err := m.Spec.Check(); err != nil {
			t.Fatal(err)
		}
		for name := range m.Files {
			if name != weightsFile && name != optimizerFile {
				t.Fatalf("file %q", name)
			}
		}
	})
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
