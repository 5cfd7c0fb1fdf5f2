package train

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"mnet-edge/model"
)

// Devices that share a batch get the gradients of the whole batch, batch normalization's statistics included: in float64 the same
// as one device's but for rounding. And after steps all of them hold the same weights, momenta and statistics, bit for bit.
func TestDevicesShareTheBatch(t *testing.T) {
	const devices = 2
	be, err := openPlugin(BackendXLA, "", devices)
	if err != nil {
		t.Skip("no XLA to have several devices on: ", err)
	}
	defer be.Finalize()
	spec := tinySpec(model.NetD)
	r, err := Preset(PresetSeed)
	if err != nil {
		t.Fatal(err)
	}
	r.Batch = 8
	w := initialWeights(spec, 0.5, rand.New(rand.NewPCG(5, 5)))
	pixels, labels := randomBatch(rand.New(rand.NewPCG(8, 8)), r.Batch, spec)
	on := func(devices int) map[string][]float64 {
		tr := &trainer{backend: be, spec: spec, input: testInput, recipe: r, params: deviceParams(spec), devices: devices}
		return gradients[float64](t, tr, w, pixels, labels)
	}
	one, shared := on(1), on(devices)
	for name, g := range one {
		var diff, size float64
		for i, v := range g {
			diff += (v - shared[name][i]) * (v - shared[name][i])
			size += v * v
		}
		if !(math.Sqrt(diff) <= 1e-9*(math.Sqrt(size)+1e-3)) {
			t.Errorf("gradient of %s on %d devices differs by %.1e, its norm is %.1e", name, devices, math.Sqrt(diff), math.Sqrt(size))
		}
	}

	r.Distill = 0.5 // each device asks a teacher of its own about its part
	tr, err := newTrainer(be, spec, testInput, r, devices, r.Batch, w, nil, taughtBy(checkpointOf(spec, 4)))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	for range 2 {
		if _, correct, err := tr.Step(pixels, labels, 0.1); err != nil || correct < 0 || correct > r.Batch {
			t.Fatalf("%d of %d right, error %v", correct, r.Batch, err)
		}
	}
	states := make([][][]float32, devices)
	for d, state := range tr.state {
		for _, b := range state {
			shape, err := b.Shape()
			if err != nil {
				t.Fatal(err)
			}
			data := make([]float32, shape.Size())
			if err := b.ToFlatData(data); err != nil {
				t.Fatal(err)
			}
			states[d] = append(states[d], data)
		}
	}
	if !reflect.DeepEqual(states[0], states[1]) {
		t.Error("after two steps the devices hold different weights")
	}
	if err := tr.setWeights(w); err != nil {
		t.Fatal(err)
	}
	if back, _, err := tr.download(); err != nil || !reflect.DeepEqual(back, w) {
		t.Errorf("weights set do not come back: error %v", err)
	}
	if _, _, predicted, err := tr.Eval(pixels, labels); err != nil || len(predicted) != r.Batch {
		t.Errorf("evaluation: %d predictions, error %v", len(predicted), err)
	}
}

// A number of devices that can't share the step is refused before anything starts.
func TestDevicesRefused(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.Devices = -1 },
		func(c *Config) { c.Devices = 3 }, // batch 128
		func(c *Config) { c.Backend, c.Devices = BackendGo, 2 },
		func(c *Config) { c.Spec.Net, c.Devices = model.NetC, 2 },
	} {
		c := Config{Spec: model.DefaultSpec(model.NetD), Out: "none"}
		change(&c)
		if _, _, err := c.withDefaults(); !errors.Is(err, ErrConfig) {
			t.Errorf("net %s on %d devices of %q: error %v, want ErrConfig", c.Spec.Net, c.Devices, c.Backend, err)
		}
	}
}
