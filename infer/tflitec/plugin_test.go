//go:build tflite && cgo

package tflitec_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/infer/tflitec"
	"mnet-edge/quant"
)

// answer is what a delegate makes of a small network, float32 but for the kind, and where it ran.
func answer(t *testing.T, delegate string, kind infertest.Kind) ([]byte, infer.Placement, error) {
	t.Helper()
	b, err := infertest.Model(infertest.Small, kind, 2)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tflitec.New().Open(b, infer.Options{Delegate: delegate})
	if err != nil {
		return nil, infer.Placement{}, err
	}
	defer s.Close()
	in, out := make([]byte, s.Input().Type.Bytes()), make([]byte, s.Output().Type.Bytes())
	for i := range in {
		in[i] = byte(i % 61) // as float32, small numbers
	}
	return out, s.Placement(), errors.Join(s.Write(in), s.Invoke(), s.Read(out))
}

// A delegate that takes part of a model is told apart from what the built-in kernels run, and one that takes nothing is
// not what ran.
func TestExternal(t *testing.T) {
	p := infertest.BuildPlugins(t)
	want, _, err := answer(t, infer.NoDelegate, infertest.Float)
	if err != nil {
		t.Fatal(err)
	}
	good := tflitec.External + "=" + p.Good
	for _, test := range []struct {
		delegate, ran string
		kind          infertest.Kind
		nodes         int
	}{
		{good, good, infertest.Float, 1},
		{good + ";mode:none", infer.NoDelegate, infertest.Float, 0},
		{good, infer.NoDelegate, infertest.Int8, 0},
	} {
		got, place, err := answer(t, test.delegate, test.kind)
		if err != nil {
			t.Errorf("%s: %v", test.delegate, err)
			continue
		}
		if place.Delegate != test.ran || place.DelegatedNodes != test.nodes || place.Partitions != test.nodes {
			t.Errorf("%s on %v: %+v", test.delegate, test.kind, place)
		}
		if test.kind == infertest.Float && infertest.Apart(graph.Float32, got, want, 0) > 1e-5 {
			t.Errorf("%s: another answer", test.delegate)
		}
	}
	if wrong, _, err := answer(t, good+";mode:wrong", infertest.Float); err != nil || bytes.Equal(wrong, want) {
		t.Errorf("the plugin that computes wrong numbers gave the right ones, or %v", err)
	}
}

// The suite, on a delegate that takes one node of each float network and leaves the rest to the built-in kernels.
func TestExternalConforms(t *testing.T) {
	delegate := tflitec.External + "=" + infertest.BuildPlugins(t).Good
	infertest.Run(t, listing{tflitec.New(), delegate}, delegate, infertest.Exceptions{
		Reference: infer.NewReference(quant.DoubleUp),
		MaxRel:    1e-5,
		InPart:    true,
	})
}

// A library that cannot serve has its reason, and is never a fault of the model.
func TestExternalRefused(t *testing.T) {
	p := infertest.BuildPlugins(t)
	for _, test := range []struct{ spec, want string }{
		{"", "no library is named"},
		{p.Missing, "no such file"},
		{p.Foreign, "it is for s390x"},
		{p.Empty, "no function tflite_plugin_create_delegate"},
		{p.Good + ";mode", "want key:value"},
		{p.Good + ";mode:fail", "this plugin was told to fail"},
		{p.Good + ";mode:prepare", "this plugin never likes a model"},
		{filepath.Dir(p.Good), "not a library for this program"},
	} {
		_, _, err := answer(t, tflitec.External+"="+test.spec, infertest.Float)
		if !errors.Is(err, infer.ErrUnavailable) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want ErrUnavailable with %q", test.spec, err, test.want)
		}
	}
}

// The delegates with a library of their own are listed whether it is there or not, and found in the library path.
func TestLibraryDevices(t *testing.T) {
	state := func() map[string]string {
		reasons := map[string]string{}
		for _, d := range tflitec.New().Devices() {
			reasons[d.Name] = d.Reason
		}
		return reasons
	}
	p := infertest.BuildPlugins(t)
	t.Setenv("LD_LIBRARY_PATH", "")
	names := map[string]string{tflitec.EdgeTPU: "libedgetpu.so.1", tflitec.GPU: "libtensorflowlite_gpu_delegate.so"}
	for name, file := range names {
		reason, listed := state()[name]
		if !listed || reason != "" && !strings.Contains(reason, file) {
			t.Errorf("%s: listed %v, %q", name, listed, reason)
		}
		if reason == "" {
			t.Skipf("this machine has %s", file)
		}
		if _, _, err := answer(t, name, infertest.Float); !errors.Is(err, infer.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
	dir := t.TempDir()
	for _, file := range names {
		copyFile(t, p.Good, filepath.Join(dir, file))
	}
	t.Setenv("LD_LIBRARY_PATH", dir)
	for name := range names {
		if reason := state()[name]; reason != "" {
			t.Errorf("%s with its library there: %s", name, reason)
		}
		if _, place, err := answer(t, name, infertest.Float); err != nil || place.Delegate != name || place.DelegatedNodes != 1 {
			t.Errorf("%s with its library there: %+v, %v", name, place, err)
		}
	}
}
