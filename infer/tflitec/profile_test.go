//go:build tflite && cgo

package tflitec_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mnet-edge/infer"
	"mnet-edge/infer/tflitec"
)

// vectorModels are the models of graph/interp's vectors, with all operators among them, and of other tools.
func vectorModels(t *testing.T) map[string][]byte {
	t.Helper()
	models := map[string][]byte{}
	for _, pattern := range []string{"../../graph/interp/testdata/vectors/*/model.tflite", "../../graph/tflite/testdata/*.tflite"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			models[strings.TrimPrefix(path, "../../graph/")] = b
		}
	}
	if len(models) < 8 {
		t.Fatalf("%d models", len(models))
	}
	return models
}

// A profile says of every node who ran it, as the placement counts them; each of the runtime's own kernels is timed; the
// parts are no more than the whole.
func TestProfile(t *testing.T) {
	profiler := tflitec.New().(infer.Profiler)
	for name, b := range vectorModels(t) {
		for _, delegate := range []string{tflitec.XNNPACK, infer.NoDelegate} {
			t.Run(name+" "+delegate, func(t *testing.T) {
				s, err := profiler.Open(b, infer.Options{Delegate: delegate})
				if errors.Is(err, infer.ErrModel) || errors.Is(err, infer.ErrUnavailable) {
					t.Skipf("not run: %v", err) // an operator that the library lacks; for XNNPACK a result that nobody reads
				}
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				p, err := profiler.Profile(context.Background(), b, infer.Options{Delegate: delegate}, make([]byte, s.Input().Type.Bytes()), 10)
				if err != nil {
					t.Fatal(err)
				}
				delegated, sum := 0, 0.
				for _, n := range p.Nodes {
					sum += n.US
					switch {
					case n.Ran == "":
						t.Errorf("%s %q: who ran it is unknown", n.Op, n.Name)
					case n.Ran == tflitec.XNNPACK:
						delegated++
					case n.Kernel == "fused": // the file's operator is read as it and the node behind it
					case n.US <= 0 || strings.ToUpper(n.Kernel) != n.Kernel || n.Kernel == "":
						t.Errorf("%s %q: %v µs in kernel %q: want the runtime's own", n.Op, n.Name, n.US, n.Kernel)
					}
				}
				if want := s.Placement().DelegatedNodes; delegated != want && len(p.Nodes) == s.Placement().TotalNodes {
					t.Errorf("%d nodes in the delegate, want %d", delegated, want)
				}
				if sum > 1.2*p.CallUS {
					t.Errorf("%v µs of a call's %v", sum, p.CallUS)
				}
			})
		}
	}
}

// XNNPACK's operators go to the nodes they implement.
func TestProfileAttribution(t *testing.T) {
	models := vectorModels(t)
	for _, test := range []struct{ model, node, kernel string }{
		{"interp/testdata/vectors/cifar10/model.tflite", "conv1", "Convolution (NHWC, QC8) IGEMM"},
		{"interp/testdata/vectors/cifar10/model.tflite", "layers.12.conv1", "Convolution (NHWC, QC8) DWConv"},
		{"interp/testdata/vectors/cifar10/model.tflite", "pool", "Mean (ND) Reduce"},
		{"interp/testdata/vectors/cifar10/model.tflite", "logits", "Static Reshape (NC) + Fully Connected (NC, QS8) GEMM"},
	} {
		b := models[test.model]
		m, err := infer.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		p, err := tflitec.New().(infer.Profiler).Profile(context.Background(), b, infer.Options{}, make([]byte, m.Inputs[0].Type.Bytes()), 1)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(p.Nodes, func(n infer.NodeTime) bool { return n.Name == test.node })
		if i < 0 || p.Nodes[i].Kernel != test.kernel {
			t.Errorf("%s is node %d: want it in kernel %q: %+v", test.node, i, test.kernel, p.Nodes)
		}
	}
}
