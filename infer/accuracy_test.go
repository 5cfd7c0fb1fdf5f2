package infer_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/quant"
)

// The intervals are those of Newcombe, Statistics in Medicine 17 (1998), table I, method 3, to four decimals.
func TestNewAccuracy(t *testing.T) {
	for _, test := range []struct {
		correct, n int
		lo, hi     float64
	}{
		{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718},
		{20, 20, 1 - 0.1611, 1}, {28, 29, 1 - 0.1718, 1 - 0.0061}, // by symmetry
	} {
		a := infer.NewAccuracy(test.correct, test.n)
		off := max(math.Abs(a.CI95[0]-test.lo), math.Abs(a.CI95[1]-test.hi))
		if off > 0.00005+1e-9 || a.CI95[0] > a.Top1 || a.CI95[1] < a.Top1 || a.Correct != test.correct || a.N != test.n {
			t.Errorf("%d of %d: %+v, want [%v, %v]", test.correct, test.n, a, test.lo, test.hi)
		}
	}
}

// pictures yields n random images of the small networks' size, with labels as class gives them.
func pictures(n int, class func(i int) int) iter.Seq2[[]byte, int] {
	return func(yield func([]byte, int) bool) {
		r := rand.New(rand.NewPCG(5, 5))
		rgb := make([]byte, infertest.Small.Size*infertest.Small.Size*3)
		for i := range n {
			for j := range rgb {
				rgb[j] = byte(r.Uint32())
			}
			if !yield(rgb, class(i)) {
				return
			}
		}
	}
}

// classifier is a small network with its model and a session on the reference runtime.
func classifier(t *testing.T, kind infertest.Kind) (*infer.Model, infer.Session) {
	t.Helper()
	b, err := infertest.Model(infertest.Small, kind, 3)
	if err != nil {
		t.Fatal(err)
	}
	m, err := infer.Load(b, infer.Given{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := infer.NewReference(quant.Double).Open(b, infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return m, s
}

func TestEvaluate(t *testing.T) {
	for _, kind := range []infertest.Kind{infertest.Float, infertest.Int8, infertest.Int8Float} {
		m, s := classifier(t, kind)
		// The classes as single calls give them; every fourth image is given another label.
		var answers []int
		in, out := make([]byte, m.Input.Type.Bytes()), make([]byte, m.Output.Type.Bytes())
		scores := make([]float32, m.Classes)
		for rgb := range pictures(40, func(int) int { return 0 }) {
			if err := errors.Join(m.Preprocess(in, rgb), s.Write(in), s.Invoke(), s.Read(out), m.Scores(scores, out)); err != nil {
				t.Fatal(err)
			}
			answers = append(answers, m.TopK(scores, 1)[0].Index)
		}
		label := func(i int) int {
			if i%4 == 0 {
				return (answers[i] + 1) % m.Classes
			}
			return answers[i]
		}
		e, err := infer.Evaluate(t.Context(), m, s, pictures(40, label), infer.MeasureOptions{WarmupRuns: 3})
		if err != nil {
			t.Fatal(err)
		}
		a, l := e.Accuracy, e.Latency
		if a != infer.NewAccuracy(30, 40) || l.Count != 40 || l.Warmup != (infer.Warmup{Calls: 3}) {
			t.Errorf("%v: %+v from %d timed calls, want 30 of 40, after %+v", kind, a, l.Count, l.Warmup)
		}
		for i, right := range e.Right {
			if right != (i%4 != 0) {
				t.Errorf("%v: image %d is right: %v", kind, i, right)
			}
		}
		if len(e.Right) != 40 {
			t.Errorf("%v: %d images right or wrong, want 40", kind, len(e.Right))
		}
		if e.Around.Preprocess <= 0 || e.Around.Postprocess <= 0 || e.Around.Decode != 0 {
			t.Errorf("%v: around a call %+v", kind, e.Around)
		}
		if l.First <= 0 || l.Min <= 0 || !slices.IsSorted([]float64{l.Min, l.P50, l.P90, l.P99, l.Max}) {
			t.Errorf("%v: latency %+v", kind, l)
		}
	}
}

func TestEvaluateErrors(t *testing.T) {
	m, s := classifier(t, infertest.Int8)
	zero := func(int) int { return 0 }
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name   string
		ctx    context.Context
		images iter.Seq2[[]byte, int]
	}{
		{"no images", t.Context(), pictures(0, zero)},
		{"class below 0", t.Context(), pictures(2, func(int) int { return -1 })},
		{"class too high", t.Context(), pictures(2, func(int) int { return m.Classes })},
		{"image too small", t.Context(), func(yield func([]byte, int) bool) { yield(make([]byte, 3), 0) }},
		{"cancelled", cancelled, pictures(2, zero)},
	} {
		if _, err := infer.Evaluate(test.ctx, m, s, test.images, infer.MeasureOptions{WarmupRuns: 1}); err == nil {
			t.Errorf("%s: no error", test.name)
		}
	}
	s.Close()
	if _, err := infer.Evaluate(t.Context(), m, s, pictures(2, zero), infer.MeasureOptions{WarmupRuns: 1}); err == nil {
		t.Error("closed session: no error")
	}
}

// A network whose weights overflow float32 gives scores that are no numbers: an error, not a class.
func TestEvaluateNotANumber(t *testing.T) {
	g, err := infertest.Net(infertest.Small, infertest.Float, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range g.Values() {
		if w, ok := v.Data.([]float32); ok {
			for i := range w {
				w[i] *= 1e30
			}
		}
	}
	b := encode(t, g)
	m, err := infer.Load(b, infer.Given{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := infer.NewReference(quant.Double).Open(b, infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = infer.Evaluate(t.Context(), m, s, pictures(2, func(int) int { return 0 }), infer.MeasureOptions{})
	if !errors.Is(err, infer.ErrModel) {
		t.Errorf("%v, want ErrModel", err)
	}
}

func TestReferenceReadsZerosBeforeInvoke(t *testing.T) {
	_, s := classifier(t, infertest.Float)
	out := bytes.Repeat([]byte{1}, s.Output().Type.Bytes())
	if err := s.Read(out); err != nil || !bytes.Equal(out, make([]byte, len(out))) {
		t.Errorf("%v, error %v", out, err)
	}
}
