package soak

import (
	"bytes"
	"sync"
	"testing"

	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
)

// Sixteen goroutines that share a pool get, call by call, the answers of one session used alone.
func TestConcurrent(t *testing.T) {
	const goroutines, inputs = 16, 64
	model, err := infertest.Model(infertest.Small, infertest.Int8, 1)
	if err != nil {
		t.Fatal(err)
	}
	calls := amount(1000, 10_000)
	for _, e := range engines() {
		t.Run(e.String(), func(t *testing.T) {
			open := func() (infer.Session, error) { return e.open(model) }
			alone, err := open()
			if err != nil {
				t.Fatal(err)
			}
			defer alone.Close()
			in, want := make([][]byte, inputs), make([][]byte, inputs)
			different := map[string]bool{}
			for i := range in {
				in[i] = make([]byte, alone.Input().Type.Bytes())
				fill(in[i], alone.Input().Type, i)
				if want[i], err = answer(alone, i); err != nil {
					t.Fatal(err)
				}
				different[string(want[i])] = true
			}
			if len(different) < inputs/4 {
				t.Fatalf("%d inputs have %d answers: a mix-up would not show", inputs, len(different))
			}
			pool, err := infer.NewPool(4, open)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			var wg sync.WaitGroup
			for g := range goroutines {
				wg.Go(func() {
					out := make([]byte, alone.Output().Type.Bytes())
					for i := g; i < calls; i += goroutines {
						if err := pool.Run(in[i%inputs], out); err != nil {
							t.Errorf("call %d: %v", i, err)
							return
						}
						if !bytes.Equal(out, want[i%inputs]) {
							t.Errorf("call %d: %v, alone %v", i, out, want[i%inputs])
							return
						}
					}
				})
			}
			wg.Wait()
			t.Logf("%d calls from %d goroutines, %d different answers", calls, goroutines, len(different))
		})
	}
}
