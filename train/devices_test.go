package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/gomlx/compute"

	"mnet-edge/model"
)

// xlaDevices is XLA on a CPU with n devices, 0 for those it has of its own accord, where it is at hand.
func xlaDevices(t *testing.T, n int) compute.Backend {
	t.Helper()
	be, err := openPlugin(BackendXLA, "", n)
	if err != nil {
		t.Skip("no XLA: ", err)
	}
	t.Cleanup(be.Finalize)
	return be
}

// Devices that share a batch get the gradients of the whole batch, batch normalization's statistics included: in float64 the same
// as one device's but for rounding. And after steps all of them hold the same weights, momenta and statistics, bit for bit.
func TestDevicesShareTheBatch(t *testing.T) {
	const devices = 2
	be := xlaDevices(t, devices)
	for _, net := range model.Nets {
		t.Run(string(net), func(t *testing.T) { testDevicesShareTheBatch(t, be, devices, tinySpec(net)) })
	}
}

func testDevicesShareTheBatch(t *testing.T, be compute.Backend, devices int, spec model.Spec) {
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
	sameGradients(t, fmt.Sprint(devices, " devices"), shared, one, 1e-9, 1e-3)

	r.Distill = 0.5 // each device asks a teacher of its own about its part
	tr, err := newTrainer(be, spec, testInput, r, devices, r.Batch, w, nil, taughtBy(&teacher{run: checkpointOf(spec, 4)}))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	steps(t, tr, 2, pixels, labels)
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

// Devices that make each a share of the matrices that Muon moves have all of them: the weights that one device would have, but for rounding.
func TestDevicesShareMuon(t *testing.T) {
	const most = 3
	be := xlaDevices(t, most)
	spec := tinySpec(model.NetD)
	r, err := Preset(PresetFast)
	if err != nil {
		t.Fatal(err)
	}
	r.Batch = 12
	w := initialWeights(spec, 0.5, rand.New(rand.NewPCG(5, 5)))
	pixels, labels := randomBatch(rand.New(rand.NewPCG(8, 8)), r.Batch, spec)
	after := func(devices int) model.Weights {
		tr, err := newTrainer(be, spec, testInput, r, devices, r.Batch, w, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tr.close()
		steps(t, tr, 1, pixels, labels) // a second one would make more of the rounding
		weights, _, err := tr.download()
		if err != nil {
			t.Fatal(err)
		}
		return weights
	}
	one := after(1)
	for devices := 2; devices <= most; devices++ {
		for name, shared := range after(devices) {
			var diff, moved float64
			for i, v := range one[name].Data {
				diff += math.Pow(float64(v-shared.Data[i]), 2)
				moved += math.Pow(float64(v-w[name].Data[i]), 2)
			}
			if !(math.Sqrt(diff) <= 1e-3*math.Sqrt(moved)+1e-6) {
				t.Errorf("%s on %d devices is %.1e from one's, which moved by %.1e", name, devices, math.Sqrt(diff), math.Sqrt(moved))
			}
		}
	}
}

// steps does some, after which all devices hold the same weights, momenta and statistics, bit for bit.
func steps(t *testing.T, tr *trainer, n int, pixels []byte, labels []int32) {
	t.Helper()
	for range n {
		if _, correct, err := tr.Step(pixels, labels, 0.1); err != nil || correct < 0 || correct > len(labels) {
			t.Fatalf("%d of %d right, error %v", correct, len(labels), err)
		}
	}
	states := make([][][]float32, len(tr.state))
	for d, state := range tr.state {
		for _, b := range state {
			states[d] = append(states[d], fetched(t, b))
		}
		if !reflect.DeepEqual(states[d], states[0]) {
			t.Errorf("after %d steps device %d holds other weights than the first", n, d)
		}
	}
}

// Two of a CPU's devices share each batch of their own accord, and a run of theirs that is broken off goes on to the same bits.
func TestDevicesOfTheirOwnAccord(t *testing.T) {
	for _, test := range []struct {
		want    int
		backend string
		change  func(*Config)
	}{
		{2, onCPU, func(c *Config) {}},
		{1, onCUDA, func(c *Config) {}},
		{1, BackendGo, func(c *Config) {}},
		{1, onCPU, func(c *Config) { c.Devices = 1 }},
		{4, onCPU, func(c *Config) { c.Devices = 4 }},
		{1, onCPU, func(c *Config) { c.Batch = 9 }},
		{2, onCPU, func(c *Config) { c.Spec.Net = model.NetC }},
		{1, onCPU, func(c *Config) { c.QAT = "run" }},
	} {
		c := Config{Spec: model.DefaultSpec(model.NetD), Batch: 8}
		test.change(&c)
		if got := c.sharing(test.backend); got != test.want {
			t.Errorf("%d devices of %s for net %s, batch %d, %d asked for: want %d", got, test.backend, c.Spec.Net, c.Batch, c.Devices, test.want)
		}
	}
	if _, err := FindPlugin(BackendXLA); err != nil {
		t.Skip("no XLA to have several devices on: ", err)
	}
	set, c := patterns(60, 8), tinyConfig(t)
	c.Backend, c.LR = BackendXLA, 0.002
	if _, err := Run(context.Background(), c, set); err != nil {
		t.Fatal(err)
	}
	want := loadLast(t, c)
	c.Out += "-broken"
	interrupt(t, c, set)
	c.Resume = true
	if _, err := Run(context.Background(), c, set); err != nil {
		t.Fatal(err)
	}
	got := loadLast(t, c)
	if got.Step != want.Step || !reflect.DeepEqual(got.Weights, want.Weights) || !reflect.DeepEqual(got.Optimizer, want.Optimizer) {
		t.Errorf("the broken run differs from the whole one at step %d and %d", got.Step, want.Step)
	}
}

// A number of devices that can't share the step is refused before anything starts.
func TestDevicesRefused(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.Devices = -1 },
		func(c *Config) { c.Devices = 3 }, // batch 128
		func(c *Config) { c.Backend, c.Devices = BackendGo, 2 },
		func(c *Config) { c.QAT, c.Preset, c.Devices = "run", PresetQAT, 2 },
	} {
		c := Config{Spec: model.DefaultSpec(model.NetD), Out: "none"}
		change(&c)
		if _, _, err := c.withDefaults(); !errors.Is(err, ErrConfig) {
			t.Errorf("%d devices of %q, going on from %q: error %v, want ErrConfig", c.Devices, c.Backend, c.QAT, err)
		}
	}
}
