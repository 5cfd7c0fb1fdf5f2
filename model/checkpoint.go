package model

import "fmt"

// Tensor is a dense float32 array, row-major.
type Tensor struct {
	Shape []int
	Data  []float32
}

// Weights maps a parameter's name to its values, in PyTorch's layouts.
type Weights map[string]Tensor

// Finite reports a value that is infinite or not a number.
func (ws Weights) Finite() error {
	for name, t := range ws {
		for _, v := range t.Data {
			if v-v != 0 {
				return fmt.Errorf("model: parameter %s holds %v", name, v)
			}
		}
	}
	return nil
}

// Input says how a pixel becomes the network's input: (pixel - Mean) / Std, pixel in 0..255, the same for every
// channel. Mean is a whole number, so that int8 quantization of the input is lossless: scale 1/Std, zero point Mean-128.
type Input struct {
	Mean float32 `json:"mean"`
	Std  float32 `json:"std"`
}

// BNEpsilon is what batch normalization adds to the variance, in training and wherever a checkpoint is run:
// (x - running_mean) / sqrt(running_var + BNEpsilon) * weight + bias. It is PyTorch's default.
const BNEpsilon = 1e-5

// Range is a closed interval of real numbers.
type Range struct {
	Min float32 `json:"min"`
	Max float32 `json:"max"`
}

// Pooled is the name in Checkpoint.Ranges of the global average before the linear layer; other names are layers'.
const Pooled = "pool"

// Checkpoint is the contract between train and convert: a network with everything needed to run it or to go on training it.
type Checkpoint struct {
	Spec    Spec
	Input   Input
	Labels  []string // Spec.Classes names, in the order of the outputs
	Weights Weights  // every parameter of Spec.Params

	Ranges map[string]Range // of activations, by the layer that gives them, that the network was trained to be quantized with; nil: none

	Step      int64              // training steps done
	Epoch     int                // epochs done
	Metrics   map[string]float64 // such as "val_top1"; figures about these weights, in the unit the name says
	Optimizer Weights            // optimizer state by name, nil when the checkpoint is for inference only
	State     map[string]string  // what else the trainer needs to go on (random states, recipe), opaque here
}

// Check reports a spec out of range, a missing, surplus or ill-shaped parameter, or labels that do not match.
func (c *Checkpoint) Check() error {
	if err := c.Spec.Check(); err != nil {
		return err
	}
	if !(c.Input.Std > 0) {
		return fmt.Errorf("model: input std %v: want more than 0", c.Input.Std)
	}
	if len(c.Labels) != c.Spec.Classes {
		return fmt.Errorf("model: %d labels for %d classes", len(c.Labels), c.Spec.Classes)
	}
	if err := c.checkRanges(); err != nil {
		return err
	}
	params := c.Spec.Params()
	for _, p := range params {
		w, ok := c.Weights[p.Name]
		if !ok {
			return fmt.Errorf("model: parameter %s is missing", p.Name)
		}
		if fmt.Sprint(w.Shape) != fmt.Sprint(p.Shape) || len(w.Data) != p.Count() {
			return fmt.Errorf("model: parameter %s has shape %v (%d values), net %s needs %v", p.Name, w.Shape, len(w.Data), c.Spec.Name(), p.Shape)
		}
	}
	if len(c.Weights) != len(params) {
		return fmt.Errorf("model: %d parameters, net %s has %d", len(c.Weights), c.Spec.Name(), len(params))
	}
	return nil
}

// checkRanges reports a range that is none, or of something that the network does not have.
func (c *Checkpoint) checkRanges() error {
	known := map[string]bool{Pooled: true}
	for _, l := range c.Spec.Layers() {
		known[l.Name] = true
	}
	for name, r := range c.Ranges {
		switch {
		case !known[name]:
			return fmt.Errorf("model: a range of %q, net %s has no such layer", name, c.Spec.Name())
		case !(r.Min <= r.Max) || r.Min-r.Min != 0 || r.Max-r.Max != 0:
			return fmt.Errorf("model: range of %s is %v to %v", name, r.Min, r.Max)
		}
	}
	return nil
}
