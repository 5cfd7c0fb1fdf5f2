//go:build tflite && cgo

package tflitec_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"mnet-edge/devices"
	"mnet-edge/infer"
)

// listing is a runtime that lists a delegate more, which it has.
type listing struct {
	infer.Runtime
	name string
}

func (l listing) Devices() []devices.Device {
	return []devices.Device{{Name: l.name, Kind: devices.CPU, Available: true}}
}

// randomImages are n inputs of so many numbers from 0 to 1, the same each time.
func randomImages(n, elements int) [][]float32 {
	random, images := rand.New(rand.NewPCG(3, 4)), make([][]float32, n)
	for k := range images {
		images[k] = make([]float32, elements)
		for i := range images[k] {
			images[k][i] = random.Float32()
		}
	}
	return images
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
