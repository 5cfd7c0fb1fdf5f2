package train

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	. "github.com/gomlx/gomlx/core/graph" //lint:ignore ST1001 see net.go

	"mnet-edge/model"
)

// Several devices train one net by sharing each batch: every device has all weights and runs the same step on its part of the images.
// What a step must know of the whole batch is summed over the devices where it arises: batch normalization's two sums a
// layer on the way forward and two on the way back, and at the end the gradients of the weights. So the weights on all devices
// stay the same, bit for bit, and are those of one device with the whole batch, but for the order of the sums.

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
	case c.Spec.Net != model.NetD || c.QAT != "":
		return fmt.Errorf("train: several devices train net D, and not with quantization in the step: %w", ErrConfig)
	}
	return nil
}
