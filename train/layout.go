package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"mnet-edge/model"
)

// param is one of a network's parameters as the device holds it.
type param struct {
	model.Param
	shape []int // on the device; see net.go
}

// deviceParams returns spec's parameters in order, with their shapes on the device.
func deviceParams(spec model.Spec) []param {
	var ps []param
	for _, p := range spec.Params() {
		shape := p.Shape
		switch {
		case len(shape) > 1 && shape[1] == 1: // depthwise
			shape = []int{shape[2] * shape[3], shape[0]}
		case len(shape) > 1:
			shape = []int{p.Count() / shape[0], shape[0]}
		}
		ps = append(ps, param{p, shape})
	}
	return ps
}

// toDevice and toModel turn PyTorch's (O, I, H, W) into the device's (H, W, I, O) and back. A depthwise weight is
// (C, 1, H, W) there, so the same permutation gives (H, W, C); (O, I) is a kernel of one pixel. A vector stays as it is.
func (p param) toDevice(data []float32) []float32 { return permute(data, p.Shape, forward) }
func (p param) toModel(data []float32) []float32  { return permute(data, p.Shape, backward) }

// forward and backward say whether permute goes from the first place to the second or the other way.
func forward(model, device int) (from, to int)  { return model, device }
func backward(model, device int) (from, to int) { return device, model }

func permute[T any](data []T, shape []int, direction func(model, device int) (from, to int)) []T {
	if len(shape) == 1 {
		return slices.Clone(data)
	}
	out := make([]T, len(data))
	outs, ins := shape[0], shape[1]
	taps := len(data) / (outs * ins)
	for o := range outs {
		for i := range ins {
			for t := range taps {
				from, to := direction((o*ins+i)*taps+t, (t*ins+i)*outs+o)
				out[to] = data[from]
			}
		}
	}
	return out
}

// initialWeights draws the weights a training run starts from: He's normal distribution for ReLU by fan-out, as PyTorch's
// MobileNets have it, PyTorch's uniform default for the linear layer (its bias at zero), and BN as the identity.
//
// identity, 0..1, is how much of the identity is mixed into it. These nets are two dozen layers deep with no way around any of
// them; one that begins by handing its input on learns from the first step (Zagoruyko and Komodakis, "DiracNets", 2017). A depthwise
// filter becomes (1-identity) times the draw with identity added to its middle tap; a convolution that mixes channels keeps its draw and
// output o has identity added at input o, modulo their number, of its middle tap. The stem, of three colors, is as drawn.
func initialWeights(spec model.Spec, identity float64, rng *rand.Rand) model.Weights {
	w := model.Weights{}
	for _, p := range deviceParams(spec) {
		draw := func() float64 { return 0 }
		switch {
		case len(p.Shape) == 4:
			fanOut := float64(p.Shape[2] * p.Shape[3])
			if p.Shape[1] > 1 {
				fanOut *= float64(p.Shape[0])
			}
			draw = func() float64 { return rng.NormFloat64() * math.Sqrt(2/fanOut) }
		case len(p.Shape) == 2:
			draw = func() float64 { return (2*rng.Float64() - 1) / math.Sqrt(float64(p.Shape[1])) }
		case strings.HasSuffix(p.Name, ".weight"), strings.HasSuffix(p.Name, ".running_var"):
			draw = func() float64 { return 1 }
		}
		data := make([]float32, p.Count())
		for i := range data {
			data[i] = float32(draw())
		}
		p.mixIdentity(data, float32(identity))
		w[p.Name] = model.Tensor{Shape: p.Shape, Data: data}
	}
	return w
}

// mixIdentity mixes the identity into a convolution's weight (O, I, H, W) as initialWeights says, and leaves others alone.
func (p param) mixIdentity(data []float32, identity float32) {
	if len(p.Shape) != 4 || identity == 0 {
		return
	}
	outs, ins, taps := p.Shape[0], p.Shape[1], p.Shape[2]*p.Shape[3]
	switch {
	case ins == 1:
		for i := range data {
			data[i] *= 1 - identity
			if i%taps == taps/2 {
				data[i] += identity
			}
		}
	case taps == 1 || p.isMatrix():
		for o := range outs {
			data[(o*ins+o%ins)*taps+taps/2] += identity
		}
	}
}
