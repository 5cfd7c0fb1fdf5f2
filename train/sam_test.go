package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"mnet-edge/model"
)

// The gradients uphill are those at the weights a step of length rho along the gradient of all of them leads to.
func TestGradientsUphill(t *testing.T) {
	const rho = 0.3
	for _, net := range []model.Net{model.NetD, model.NetC} {
		spec := tinySpec(net)
		tr := &trainer{backend: goBackend(t), spec: spec, input: testInput, recipe: Recipe{Batch: 4, SAM: rho}, params: deviceParams(spec)}
		w := initialWeights(spec, 0.5, rand.New(rand.NewPCG(5, 5)))
		pixels, labels := randomBatch(rand.New(rand.NewPCG(8, 8)), 4, spec)
		got := differentiated[float64](t, tr, w, pixels, labels, func(weights map[string]*Node, pixels, labels *Node) map[string]*Node {
			_, _, _, grads := tr.gradientsUphill(weights, pixels, labels, tr.goal(pixels, labels, dtypes.Float64))
			return grads
		})
		here := gradients[float64](t, tr, w, pixels, labels)
		var squares float64
		for _, g := range here {
			squares += frobenius(g) * frobenius(g)
		}
		above := model.Weights{}
		for name, tensor := range w {
			above[name] = model.Tensor{Shape: tensor.Shape, Data: append([]float32(nil), tensor.Data...)}
			for i, g := range here[name] {
				above[name].Data[i] += float32(rho * g / math.Sqrt(squares))
			}
		}
		want := gradients[float64](t, tr, above, pixels, labels)
		sameGradients(t, fmt.Sprint("net ", net), got, want, 1e-4, 1e-3) // above is rounded to float32
		moved := 0.
		for name := range want {
			moved += apart(here[name], want[name]) * apart(here[name], want[name])
		}
		if moved < 1e-4*squares {
			t.Errorf("net %s: the gradients uphill are those below", net)
		}
	}
}

// Several devices take the same step uphill as one.
func TestDevicesGoUphill(t *testing.T) {
	be := xlaDevices(t, 2)
	spec := tinySpec(model.NetD)
	w := initialWeights(spec, 0.5, rand.New(rand.NewPCG(5, 5)))
	pixels, labels := randomBatch(rand.New(rand.NewPCG(8, 8)), 8, spec)
	on := func(devices int) map[string][]float64 {
		tr := &trainer{backend: be, spec: spec, input: testInput, recipe: Recipe{Batch: 8, SAM: 0.3}, params: deviceParams(spec), devices: devices}
		return differentiated[float64](t, tr, w, pixels, labels, func(weights map[string]*Node, pixels, labels *Node) map[string]*Node {
			_, _, _, grads := tr.gradientsUphill(weights, pixels, labels, tr.goal(pixels, labels, dtypes.Float64))
			return grads
		})
	}
	sameGradients(t, "two devices", on(2), on(1), 1e-9, 1e-3)
}

// The last epochs of a run go uphill, those before are the epochs of a run that never does, and a run broken off in between ends as a whole one.
func TestRunGoesUphill(t *testing.T) {
	set := patterns(48, 8)
	const plainly, changes = `{}`, `{"name": "uphill", "sam": 0.2, "sam_last": 0.5}`
	last := func(changes string, breakOff bool) (epochs history, weights model.Weights) {
		c := tinyConfig(t)
		c.Changes = []byte(changes)
		if breakOff {
			interrupt(t, c, set)
			c.Resume = true
		}
		epochs, card := told(t, c, set)
		if changes != plainly && !strings.Contains(card, "the last 1 epochs by sharpness-aware minimization, rho 0.2") {
			t.Error("card.md does not say so")
		}
		return epochs, loadLast(t, c).Weights
	}
	plain, low := last(plainly, false)
	epochs, whole := last(changes, false)
	_, broken := last(changes, true)
	if epochs[0].ValLoss != plain[0].ValLoss || epochs[1].ValLoss == plain[1].ValLoss || reflect.DeepEqual(whole, low) {
		t.Errorf("validation losses %v and %v, without going uphill %v and %v", epochs[0].ValLoss, epochs[1].ValLoss, plain[0].ValLoss, plain[1].ValLoss)
	}
	if !reflect.DeepEqual(broken, whole) {
		t.Error("broken off and resumed it has other weights")
	}
}

func TestSAMRefused(t *testing.T) {
	for _, changes := range []string{`{"sam": 0.1}`, `{"sam_last": 0.1}`, `{"sam": -0.1, "sam_last": 1}`, `{"sam": 0.1, "sam_last": 1.1}`, `{"sam": 0.1, "sam_last": 0.6, "grow": 0.5}`} {
		r, err := Preset(PresetFast)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.with([]byte(changes)); err == nil {
			t.Errorf("%s is taken", changes)
		}
	}
}
