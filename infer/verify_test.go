package infer_test

import (
	"context"
	"errors"
	"testing"

	"mnet-edge/graph"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/quant"
)

// inputs are n tensors of a model's input, each another pattern.
func inputs(m *infer.Model, n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		rgb := make([]byte, m.Height*m.Width*3)
		for k := range rgb {
			rgb[k] = byte(k*(i+3) + i*i*17)
		}
		all[i] = make([]byte, m.Input.Type.Bytes())
		m.Preprocess(all[i], rgb)
	}
	return all
}

// The reference agrees with itself in its own rounding; a session with other weights is found out.
func TestVerifier(t *testing.T) {
	for _, kind := range []infertest.Kind{infertest.Float, infertest.Int8} {
		b := small(t, kind, func(*graph.Graph) {})
		m, err := infer.Load(b, infer.Given{})
		if err != nil {
			t.Fatal(err)
		}
		v, err := infer.NewVerifier(context.Background(), b, m, inputs(m, 20))
		if err != nil {
			t.Fatal(err)
		}
		s, err := infer.NewReference(quant.Float32).Open(b, infer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := v.Check(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		if a.SameBits != 20 || a.SameTop1 != 20 || a.MaxDiff != 0 || !a.Trusted() {
			t.Errorf("%v: %+v: want the same bits throughout", kind, a)
		}
		if (a.Rounding == "") != (kind == infertest.Float) {
			t.Errorf("%v: rounding %q", kind, a.Rounding)
		}
		other, err := infertest.Net(infertest.Small, kind, 2)
		if err != nil {
			t.Fatal(err)
		}
		if s, err = infer.NewReference(quant.Double).Open(encode(t, other), infer.Options{}); err != nil {
			t.Fatal(err)
		}
		if a, err = v.Check(context.Background(), s); err != nil {
			t.Fatal(err)
		}
		if a.SameBits == 20 || a.MaxDiff == 0 || a.Trusted() {
			t.Errorf("%v: %+v: want another network found out", kind, a)
		}
	}
}

func TestVerifierRefuses(t *testing.T) {
	b := small(t, infertest.Int8, func(*graph.Graph) {})
	m, err := infer.Load(b, infer.Given{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := infer.NewVerifier(context.Background(), b, m, nil); err == nil {
		t.Error("verified on nothing")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := infer.NewVerifier(ctx, b, m, inputs(m, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's end", err)
	}
}
