package infer_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"mnet-edge/infer/infertest"
)

func TestAgree(t *testing.T) {
	m, s := classifier(t, infertest.Float)
	var inputs, answers [][]byte
	for rgb := range pictures(100, func(int) int { return 0 }) {
		in, out := make([]byte, m.Input.Type.Bytes()), make([]byte, m.Output.Type.Bytes())
		if err := errors.Join(m.Preprocess(in, rgb), s.Write(in), s.Invoke(), s.Read(out)); err != nil {
			t.Fatal(err)
		}
		inputs, answers = append(inputs, in), append(answers, out)
	}
	// Other numbers, the highest where another one was.
	backwards := func(out []byte) []byte {
		b := bytes.Clone(out)
		for i := 0; i < len(b); i += 4 {
			x := math.Float32frombits(binary.LittleEndian.Uint32(b[i:]))
			binary.LittleEndian.PutUint32(b[i:], math.Float32bits(-x))
		}
		return b
	}
	notANumber := func(out []byte) []byte { return bytes.Repeat([]byte{0xff}, len(out)) }
	for _, test := range []struct {
		name    string
		spoilt  int
		spoil   func([]byte) []byte
		trusted bool
	}{
		{"the same", 0, backwards, true},
		{"one other", 1, backwards, true},
		{"two others", 2, backwards, false},
		{"all others", 100, backwards, false},
		{"no numbers", 100, notANumber, false},
		{"another length", 100, func(b []byte) []byte { return b[1:] }, false},
	} {
		outputs := slices.Clone(answers)
		for i := range test.spoilt {
			outputs[i] = test.spoil(outputs[i])
		}
		a, err := m.Agree(context.Background(), s, inputs, outputs)
		if err != nil || a.Inputs != 100 || a.SameTop1 != 100-test.spoilt || a.SameBits != a.SameTop1 || a.Trusted() != test.trusted {
			t.Errorf("%s: %+v, %v", test.name, a, err)
		}
	}
	if _, err := m.Agree(context.Background(), s, inputs, answers[1:]); err == nil {
		t.Error("fewer outputs than inputs were taken")
	}
}
