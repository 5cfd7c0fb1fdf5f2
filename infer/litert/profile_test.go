package litert_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/infer/litert"
)

// The profiler's operators go to the nodes they implement, of models that XNNPACK takes whole and in part.
func TestProfile(t *testing.T) {
	profiler := runtime(t, litert.CPU).(infer.Profiler)
	whole, err := os.ReadFile("../../graph/interp/testdata/vectors/cifar10/model.tflite")
	if err != nil {
		t.Fatal(err)
	}
	inPart := partModel(t, dense, int16s, dense, dense)
	for _, test := range []struct {
		model     []byte
		delegated int
		kernels   map[string]string // how they begin, by node
	}{
		{whole, 29, map[string]string{"conv1": "Convolution (NHWC, QC8) IGEMM", "layers.12.conv1": "Convolution (NHWC, QC8) DWConv", "pool": "Mean (ND)",
			"logits": "Static Reshape (NC) + Fully Connected"}},
		{inPart, 3, map[string]string{"q": "QUANTIZE", "d": "DEQUANTIZE"}},
	} {
		g, err := infer.Decode(test.model)
		if err != nil {
			t.Fatal(err)
		}
		p, err := profiler.Profile(context.Background(), test.model, infer.Options{}, make([]byte, g.Inputs[0].Type.Bytes()), 20)
		if err != nil {
			t.Fatal(err)
		}
		if p.Source != infer.SourceRuntime || p.StepUS != 1 || p.Calls != 20 || p.CallUS <= 0 {
			t.Errorf("%+v", p)
		}
		delegated, named, sum := 0, 0, 0.
		for _, n := range p.Nodes {
			sum += n.US
			if n.Ran == litert.CPU {
				delegated++
			}
			want, ok := test.kernels[n.Name]
			if ok {
				named++
			}
			if !strings.HasPrefix(n.Kernel, want) || n.Kernel == "" {
				t.Errorf("%s ran on %s in kernel %q, want %q", n.Name, n.Ran, n.Kernel, want)
			}
		}
		if named != len(test.kernels) || delegated != test.delegated || sum > 1.2*p.CallUS {
			t.Errorf("%d of %d nodes looked for, %d in the delegate, want %d; %v µs of a call's %v", named, len(test.kernels), delegated, test.delegated, sum, p.CallUS)
		}
	}
}

// What nobody tells is divided as the reference interpreter's time is.
func TestProfileOfGPU(t *testing.T) {
	b, err := infertest.Model(infertest.Small, infertest.Float, 1)
	if err != nil {
		t.Fatal(err)
	}
	profiler := runtime(t, litert.CPU).(infer.Profiler)
	if _, err := profiler.Profile(context.Background(), b, infer.Options{Delegate: litert.GPU}, nil, 1); !errors.Is(err, infer.ErrNoProfile) {
		t.Errorf("%v, want ErrNoProfile", err)
	}
}
