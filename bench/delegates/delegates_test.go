//go:build tflite && cgo

package delegates

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/infer/tflitec"
	"mnet-edge/model"
)

// BenchmarkD is net D at w = 1 with random weights, one thread, one image a call. The delegates take turns call by call,
// so that a change of the machine's speed meets both.
func BenchmarkD(b *testing.B) {
	for _, kind := range []infertest.Kind{infertest.Int8, infertest.Float} {
		b.Run(kind.String(), func(b *testing.B) { compare(b, kind) })
	}
}

func compare(b *testing.B, kind infertest.Kind) {
	file, err := infertest.Model(model.DefaultSpec(model.NetD), kind, 1)
	if err != nil {
		b.Fatal(err)
	}
	var sessions [2]infer.Session
	for i, delegate := range []string{infer.NoDelegate, tflitec.XNNPACK} {
		s, err := tflitec.New().Open(file, infer.Options{Delegate: delegate, Threads: 1})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		in := make([]byte, s.Input().Type.Bytes())
		if kind != infertest.Float { // a float image of zeros takes as long as any
			r := rand.New(rand.NewPCG(1, 1))
			for j := range in {
				in[j] = byte(r.Uint32())
			}
		}
		if err := s.Write(in); err != nil {
			b.Fatal(err)
		}
		for range 10 {
			if err := s.Invoke(); err != nil {
				b.Fatal(err)
			}
		}
		sessions[i] = s
	}
	var took [2][]float64
	for b.Loop() {
		for i, s := range sessions {
			start := time.Now()
			if err := s.Invoke(); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], infer.Microseconds(time.Since(start)))
		}
	}
	var p50 [2]float64
	for i := range took {
		slices.Sort(took[i])
		p50[i] = infer.Quantile(took[i], 50)
	}
	p := sessions[1].Placement()
	b.ReportMetric(p50[0], "builtin-p50-us")
	b.ReportMetric(p50[1], "xnnpack-p50-us")
	b.ReportMetric(p50[0]/p50[1], "ratio")
	b.ReportMetric(float64(p.Partitions), "partitions")
	b.ReportMetric(float64(p.DelegatedNodes)/float64(p.TotalNodes), "delegated-share")
	b.ReportMetric(0, "ns/op")
}
