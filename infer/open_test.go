package infer_test

import (
	"errors"
	"fmt"
	"testing"

	"mnet-edge/devices"
	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/quant"
)

// broken offers a delegate that is never available.
type broken struct{ infer.Runtime }

func (broken) Name() string              { return "npu" }
func (broken) Devices() []devices.Device { return []devices.Device{{Name: "npu", Reason: "unplugged"}} }
func (broken) Open([]byte, infer.Options) (infer.Session, error) {
	return nil, fmt.Errorf("npu: %w: unplugged", infer.ErrUnavailable)
}

func TestOpen(t *testing.T) {
	b, err := infertest.Model(infertest.Small, infertest.Int8, 1)
	if err != nil {
		t.Fatal(err)
	}
	reference := infer.NewReference(quant.Double)
	all := []infer.Runtime{broken{}, reference}
	for _, test := range []struct {
		runtimes []infer.Runtime
		model    []byte
		delegate string
		want     error
	}{
		{all, b, "", nil},
		{all, b, infer.Auto, nil},
		{all, b, infer.ReferenceName, nil},
		{all, b, "npu", infer.ErrUnavailable},
		{all, b, "abacus", infer.ErrUnavailable},
		{all[:1], b, infer.Auto, infer.ErrUnavailable},
		{nil, b, infer.Auto, infer.ErrUnavailable},
		{all, b[:100], infer.Auto, infer.ErrModel},
	} {
		var passed, tried []string
		r, s, err := infer.Open(test.runtimes, test.model, infer.Options{Delegate: test.delegate,
			Trying:     func(r infer.Runtime) { tried = append(tried, r.Name()) },
			PassedOver: func(r infer.Runtime, reason error) { passed = append(passed, r.Name()+": "+reason.Error()) }})
		if !errors.Is(err, test.want) {
			t.Errorf("delegate %q of %d runtimes: %v, want %v", test.delegate, len(test.runtimes), err, test.want)
		}
		if err != nil {
			continue
		}
		if r != reference || s.Placement().Delegate != "none" {
			t.Errorf("delegate %q: %v, %+v", test.delegate, r.Name(), s.Placement())
		}
		if auto := test.delegate != infer.ReferenceName; auto != (len(passed) == 1 && passed[0] == "npu: npu: not available: unplugged") {
			t.Errorf("delegate %q: passed over %q", test.delegate, passed)
		}
		if len(tried) != len(passed)+1 || tried[len(tried)-1] != r.Name() {
			t.Errorf("delegate %q: tried %q", test.delegate, tried)
		}
		s.Close()
	}
}
