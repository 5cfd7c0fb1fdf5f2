//go:build tflite && cgo

package lint_test

import (
	"context"
	"errors"
	"testing"

	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/infer/tflitec"
	"mnet-edge/lint"
)

// What the rules say of XNNPACK is what TensorFlow Lite does, for every operator of every test model.
func TestXNNPACKAsObserved(t *testing.T) {
	runtime := tflitec.New().(infer.Profiler)
	models := vectors(t)
	for _, s := range singles() {
		_, models[s.name] = s.graph(t)
	}
	seen := map[bool]int{}
	for name, b := range models {
		g, err := tflite.Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		v := verdict(t, b, lint.XNNPACK)
		p, err := runtime.Profile(context.Background(), b, infer.Options{Delegate: tflitec.XNNPACK}, make([]byte, g.Inputs[0].Type.Bytes()), 1)
		if errors.Is(err, infer.ErrModel) || errors.Is(err, infer.ErrUnavailable) {
			if v.Taken > 0 {
				t.Errorf("%s: XNNPACK does not run it, the rules say %d of %d: %v", name, v.Taken, v.Total, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, n := range p.Nodes {
			// Operators that only compute shapes from shapes are the runtime's before there is a delegate.
			taken, refusal := n.Ran == tflitec.XNNPACK, v.Refusal(i)
			if taken != (refusal == "") {
				t.Errorf("%s: %s %q: taken %v, the rules say %q", name, n.Op, n.Name, taken, refusal)
			}
			seen[taken]++
		}
	}
	if seen[true] < 100 || seen[false] < 10 {
		t.Errorf("%d operators taken and %d refused say too little", seen[true], seen[false])
	}
}
