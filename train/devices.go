package train

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph" //lint:ignore ST1001 see net.go

	"mnet-edge/model"
)

// Several devices train one net by sharing each batch: every device has all weights and runs the same step on its part of the images.
// What a step must know of the whole batch is summed over the devices where it arises: batch normalization's two sums a
// layer on the way forward and two on the way back, and at the end the gradients of the weights. So the weights on all devices
// stay the same, bit for bit, and are those of one device with the whole batch, but for the order of the sums
// and for which teacher's answer to an image is learnt in which epoch.

// sharing is how many devices of a backend, by its recorded name, share each batch: as many as c says, or if it says nothing two
// where they are a CPU's and can: with SGD and half a batch each they are quicker than one with all of it, even on a single
// processor (docs/decisions/0004-training-step.md). Always two, so that a run's bits do not depend on the number of processors.
func (c Config) sharing(backend string) int {
	switch {
	case c.Devices > 0:
		return c.Devices
	case backend == onCPU && c.QAT == "" && c.Batch%2 == 0:
		return 2
	}
	return 1
}

// share makes g a program of several devices that run it together (SPMD).
func share(g *Graph, devices int) error {
	if devices < 2 {
		return nil
	}
	mesh, err := distributed.NewDeviceMesh([]int{devices}, []string{"batch"})
	if err == nil {
		err = g.SetSPMD(mesh)
	}
	if err != nil {
		return fmt.Errorf("train: %d devices: %w: %w", devices, err, ErrBackend)
	}
	return nil
}

// across adds up what the devices have, each from its part of the batch.
func (n *net) across(sums ...*Node) []*Node {
	if n.devices < 2 {
		return sums
	}
	return sums[0].Graph().Distributed().AllReduce(sums, compute.ReduceOpSum)
}

// sumGradients adds up the devices' gradients of the weights. BN's are sums over all devices already.
func (p *pass) sumGradients() {
	var names []string
	var parts []*Node
	for _, l := range p.spec.Layers() {
		names = append(names, l.Name+".weight")
		if l.Kind == model.Linear {
			names = append(names, l.Name+".bias")
		}
	}
	for _, name := range names {
		parts = append(parts, p.grads[name])
	}
	for i, sum := range p.across(parts...) {
		p.grads[names[i]] = sum
	}
}

// deviceInput is the input that tells the devices of a program apart: each gets its number.
const deviceInput = "device"

// orthogonalize makes the matrices of these names among all orthogonal, but for what muonSteps leave. Each device has the same of them, and
// would take as long as one alone: so each does its share, about as much work as the others', and they add up what they have, zeros
// for the rest. A program is the same on all devices: a share is a loop that runs on its device muonSteps times and on the others never.
func (n *net) orthogonalize(all map[string]*Node, names []string) {
	if len(names) == 0 {
		return
	}
	for _, name := range names {
		all[name] = Div(all[name], norm(all[name]))
	}
	if n.devices < 2 {
		for _, name := range names {
			for range muonSteps {
				all[name] = rounder(all[name])
			}
		}
		return
	}
	var done []*Node
	var order []string
	for d, share := range divided(all, names, n.devices) {
		var xs []*Node
		for _, name := range share {
			xs = append(xs, all[name])
		}
		done, order = append(done, onDevice(d, muonSteps, rounder, xs)...), append(order, share...)
	}
	for i, sum := range n.across(done...) {
		all[order[i]] = sum
	}
}

// onDevice applies f to each of xs so many times on device d, and gives zeros on any other.
func onDevice(d, times int, f func(x *Node) *Node, xs []*Node) []*Node {
	if len(xs) == 0 {
		return nil
	}
	g := xs[0].Graph()
	mine := ConvertDType(Equal(g.GetParameterByName(deviceInput), Const(g, int32(d))), dtypes.Int32)
	state := append([]*Node{MulScalar(mine, times)}, xs...) // the first says how many times are left
	loop := func(f func(left *Node, xs []*Node) []*Node) *Function {
		return NewClosure(g, func(g *Graph) []*Node {
			var in []*Node
			for i, x := range state {
				in = append(in, Parameter(g, fmt.Sprint("state ", i), x.Shape()))
			}
			return f(in[0], in[1:])
		})
	}
	more := loop(func(left *Node, xs []*Node) []*Node { return []*Node{GreaterThan(left, Const(g, int32(0)))} })
	once := loop(func(left *Node, xs []*Node) []*Node {
		out := []*Node{Sub(left, Const(g, int32(1)))}
		for _, x := range xs {
			out = append(out, f(x))
		}
		return out
	})
	out := While(more, once, state...)[1:]
	for i, x := range out {
		out[i] = Mul(x, ConvertDType(mine, x.DType()))
	}
	return out
}

// divided divides the matrices of these names among devices, the largest first, each to the one that has least to do.
func divided(all map[string]*Node, names []string, devices int) [][]string {
	work := func(name string) int { // products of its shorter side's square with either side
		d := all[name].Shape().Dimensions
		short, long := min(d[0], d[1]), max(d[0], d[1])
		return short * short * (short + 2*long)
	}
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(work(b), work(a)) })
	out, busy := make([][]string, devices), make([]int, devices)
	for _, name := range names {
		d := slices.Index(busy, slices.Min(busy))
		out[d], busy[d] = append(out[d], name), busy[d]+work(name)
	}
	return out
}

// checkDevices reports that the step c asks for can't be shared by c.Devices.
func (c Config) checkDevices() error {
	switch {
	case c.Devices < 0 || c.Devices > 1<<10:
		return fmt.Errorf("train: %d devices: want 1 to %d: %w", c.Devices, 1<<10, ErrConfig)
	case c.Devices < 2:
		return nil
	case c.Batch%c.Devices != 0:
		return fmt.Errorf("train: batch %d does not divide among %d devices: %w", c.Batch, c.Devices, ErrConfig)
	case c.Backend == BackendGo:
		return fmt.Errorf("train: backend %s has one device, not %d: %w", BackendGo, c.Devices, ErrConfig)
	case c.QAT != "":
		return fmt.Errorf("train: several devices do not train with quantization in the step: %w", ErrConfig)
	}
	return nil
}
