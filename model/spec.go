package model

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Net names a network: one of the source's two, or the one that is there to teach them.
type Net string

const (
	// NetD is the depthwise separable MobileNet: each block is a 3x3 depthwise convolution and a 1x1 one.
	NetD Net = "D"
	// NetC is its plain sister: each block is one dense 3x3 convolution.
	NetC Net = "C"
	// NetP is short, plain and pooled: three pairs of dense 3x3 convolutions, the greatest of each 2x2 pixels going on in the middle of a pair. It is
	// after Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, whose net is the one known to learn CIFAR-10 in the fewest operations.
	NetP Net = "P"
)

// Nets are all of them.
var Nets = []Net{NetC, NetD, NetP}

// Padding says where the zeros around a 3x3 convolution's input go. At stride 2 on even sizes the two choices
// see mirror-image windows, so a net trained with one cannot run with the other.
type Padding string

const (
	// PadSame is TFLite's SAME: the odd zero goes after the data (bottom, right). The exported model needs no PAD op.
	PadSame Padding = "same"
	// PadSymmetric is the source's: one zero on every side, as PyTorch's padding=1. Exported as PAD + VALID.
	PadSymmetric Padding = "symmetric"
)

// stemChannels is the width of the first convolution; the width multiplier does not touch it.
const stemChannels = 32

// SourceSize is the height and width of the source's images, in pixels.
const SourceSize = 32

// SourceStride is the source's output stride: four of its blocks halve.
const SourceStride = 16

// maxSize bounds the height and width of what the first layer sees, in pixels.
const maxSize = 512

// MaxWidth bounds Spec.Width so that no shape or parameter count overflows, whatever a file or a flag says.
const MaxWidth = 16

// block is one of a net's at width 1: output channels, stride, and the side of the windows that are pooled behind it.
type block struct{ channels, stride, pool int }

var (
	// sourceBlocks are the source's 13, of both its nets.
	sourceBlocks = []block{
		{64, 1, 1}, {128, 2, 1}, {128, 1, 1}, {256, 2, 1}, {256, 1, 1}, {512, 2, 1},
		{512, 1, 1}, {512, 1, 1}, {512, 1, 1}, {512, 1, 1}, {512, 1, 1}, {1024, 2, 1}, {1024, 1, 1},
	}
	pooledBlocks = []block{{64, 1, 2}, {64, 1, 1}, {256, 1, 2}, {256, 1, 1}, {256, 1, 2}, {256, 1, 1}}
)

func (n Net) blocks() []block {
	if n == NetP {
		return pooledBlocks
	}
	return sourceBlocks
}

// Spec fixes a network: every parameter's name and shape, every layer's geometry, follow from it alone.
type Spec struct {
	Net     Net     `json:"net"`
	Width   float64 `json:"width"`    // multiplies each block's channels, rounded down; in (0, MaxWidth]
	MidReLU bool    `json:"mid_relu"` // net D: ReLU between the depthwise and the pointwise convolution
	Padding Padding `json:"padding"`
	Classes int     `json:"classes"`
	Size    int     `json:"size"` // input height and width in pixels; a multiple of 16

	// The network enlarges its image so many times, bilinearly, before the first layer: 2 or 4; 0: not at all. It is the resolution
	// multiplier of Howard et al., "MobileNets", 2017, for images that have no more pixels to give.
	Enlarge int `json:"enlarge,omitempty"`

	// How many pixels of what the first layer sees, along one side, stand behind one of the last feature map's: 8, 4 or 2, where the first 1, 2
	// or 3 of the blocks that halve keep their input's size; 0: the source's 16. Net P has 8 of its own and takes no other.
	OutputStride int `json:"output_stride,omitempty"`
}

// DefaultSpec is the source's net n at width 1 for 10 classes of 32x32 images, padded as TFLite pads.
func DefaultSpec(n Net) Spec {
	return Spec{Net: n, Width: 1, MidReLU: true, Padding: PadSame, Classes: 10, Size: SourceSize}
}

// Check reports the first field outside its range.
func (s Spec) Check() error {
	switch {
	case !slices.Contains(Nets, s.Net):
		return fmt.Errorf("model: net %q: want C, D or P", s.Net)
	case !(s.Width > 0 && s.Width <= MaxWidth):
		return fmt.Errorf("model: width %v: want more than 0 and at most %d", s.Width, MaxWidth)
	case s.channels(s.Net.blocks()[0].channels) < 1:
		return fmt.Errorf("model: width %v leaves a block without channels", s.Width)
	case s.Padding != PadSame && s.Padding != PadSymmetric:
		return fmt.Errorf("model: padding %q: want %q or %q", s.Padding, PadSame, PadSymmetric)
	case s.Classes < 2 || s.Classes > 1<<16:
		return fmt.Errorf("model: %d classes: want 2 to %d", s.Classes, 1<<16)
	case s.Size < 16 || s.Size > maxSize || s.Size%16 != 0:
		return fmt.Errorf("model: input size %d: want a multiple of 16, at most %d", s.Size, maxSize)
	case s.Enlarge != 0 && s.Enlarge != 2 && s.Enlarge != 4 || s.Inner() > maxSize:
		return fmt.Errorf("model: images of %d pixels enlarged %d times: want 2 or 4 times, and at most %d pixels", s.Size, s.Enlarge, maxSize)
	case !slices.Contains([]int{0, 2, 4, 8}, s.OutputStride):
		return fmt.Errorf("model: output stride %d: want 2, 4, 8 or %d", s.OutputStride, SourceStride)
	case s.Net == NetP && s.OutputStride != 0:
		return fmt.Errorf("model: output stride %d: net P has one of its own, which is 8", s.OutputStride)
	}
	return nil
}

// Name is a short identifier of the spec, fit for file names: "D-w0.25", "D-w1-nomid", "D-w0.5-64px", "D-w0.5-x2", "D-w0.5-os8".
func (s Spec) Name() string {
	n := string(s.Net) + "-w" + strconv.FormatFloat(s.Width, 'g', -1, 64)
	if s.Net == NetD && !s.MidReLU {
		n += "-nomid"
	}
	if s.Padding == PadSymmetric {
		n += "-sym"
	}
	if s.Size != SourceSize {
		n += fmt.Sprintf("-%dpx", s.Size)
	}
	if s.Enlarge != 0 {
		n += fmt.Sprintf("-x%d", s.Enlarge)
	}
	if s.OutputStride != 0 {
		n += fmt.Sprintf("-os%d", s.OutputStride)
	}
	return n
}

func (s Spec) channels(base int) int {
	// The tolerance keeps 0.29*100 == 28.999999999999996 from losing the channel a reader of the flag expects.
	return int(math.Floor(float64(base)*s.Width + 1e-9))
}

// Inner is the height and width of what the first layer sees, in pixels.
func (s Spec) Inner() int { return s.Size * max(1, s.Enlarge) }

// Kind is what a Layer computes.
type Kind uint8

const (
	Conv      Kind = iota // dense convolution, kernel Kernel x Kernel
	Depthwise             // one Kernel x Kernel filter a channel
	Linear                // fully connected, with bias, after global average pooling
)

// Layer is one weighted layer with what follows it. A convolution has no bias and is followed by BN;
// Linear has a bias, no BN and no ReLU.
type Layer struct {
	Name    string // prefix of the weight's name: "conv1", "layers.0.conv2", "linear"
	BN      string // prefix of the batch normalization's names, "" for Linear
	Kind    Kind
	In, Out int // channels
	Kernel  int
	Stride  int
	ReLU    bool
	InSize  int // input height and width in pixels
	OutSize int // output height and width in pixels
	Pool    int // the greatest value of each window of Pool x Pool pixels of that goes on, once through the ReLU; 1: all do
}

// Layers returns the network in execution order: the stem, the blocks, the linear classifier.
func (s Spec) Layers() []Layer {
	size := s.Inner()
	ls := []Layer{{Name: "conv1", BN: "bn1", Kind: Conv, In: 3, Out: stemChannels, Kernel: 3, Stride: 1, ReLU: true, InSize: size, OutSize: size, Pool: 1}}
	in, whole := stemChannels, SourceStride/cmp.Or(s.OutputStride, SourceStride) // whole is how much of the source's halving is yet to be left out
	for i, b := range s.Net.blocks() {
		name := func(part string) string { return fmt.Sprintf("layers.%d.%s", i, part) }
		if b.stride <= whole {
			b.stride, whole = 1, whole/b.stride
		}
		out, small := s.channels(b.channels), size/b.stride
		if s.Net == NetD {
			ls = append(ls,
				Layer{Name: name("conv1"), BN: name("bn1"), Kind: Depthwise, In: in, Out: in, Kernel: 3, Stride: b.stride, ReLU: s.MidReLU, InSize: size, OutSize: small, Pool: 1},
				Layer{Name: name("conv2"), BN: name("bn2"), Kind: Conv, In: in, Out: out, Kernel: 1, Stride: 1, ReLU: true, InSize: small, OutSize: small, Pool: b.pool})
		} else {
			ls = append(ls, Layer{Name: name("conv1"), BN: name("bn1"), Kind: Conv, In: in, Out: out, Kernel: 3, Stride: b.stride, ReLU: true, InSize: size, OutSize: small, Pool: b.pool})
		}
		in, size = out, small/b.pool
	}
	return append(ls, Layer{Name: "linear", Kind: Linear, In: in, Out: s.Classes, Kernel: 1, Stride: 1, InSize: 1, OutSize: 1, Pool: 1})
}

// WeightShape is the shape of the layer's weight in PyTorch's layout: (O, I, H, W), (C, 1, H, W) for Depthwise,
// (O, I) for Linear.
func (l Layer) WeightShape() []int {
	switch l.Kind {
	case Depthwise:
		return []int{l.Out, 1, l.Kernel, l.Kernel}
	case Linear:
		return []int{l.Out, l.In}
	default:
		return []int{l.Out, l.In, l.Kernel, l.Kernel}
	}
}

// MACs is the number of multiply-accumulates the layer needs for one image.
func (l Layer) MACs() int64 {
	in := int64(l.In)
	if l.Kind == Depthwise {
		in = 1
	}
	return in * int64(l.Out) * int64(l.Kernel*l.Kernel) * int64(l.OutSize*l.OutSize)
}

// Param is one tensor of a checkpoint.
type Param struct {
	Name      string
	Shape     []int // PyTorch's layout
	Trainable bool  // false for BN's running statistics
	Listed    bool  // whether the source's listing prints it (BN's four are counted, not printed)
}

// Count is the number of the parameter's elements.
func (p Param) Count() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Params returns every parameter of the network, in execution order.
func (s Spec) Params() []Param {
	var ps []Param
	for _, l := range s.Layers() {
		ps = append(ps, Param{Name: l.Name + ".weight", Shape: l.WeightShape(), Trainable: true, Listed: true})
		if l.BN == "" {
			ps = append(ps, Param{Name: l.Name + ".bias", Shape: []int{l.Out}, Trainable: true, Listed: true})
			continue
		}
		for _, f := range [...]struct {
			field     string
			trainable bool
		}{{"weight", true}, {"bias", true}, {"running_mean", false}, {"running_var", false}} {
			ps = append(ps, Param{Name: l.BN + "." + f.field, Shape: []int{l.Out}, Trainable: f.trainable})
		}
	}
	return ps
}

// Counts are a network's sizes. Total counts four values a channel for each BN, as the source does;
// Trainable leaves its two running statistics out.
type Counts struct {
	Total, Trainable int
	MACs             int64 // multiply-accumulates an image
}

// Counts adds up the parameters and the work of one inference.
func (s Spec) Counts() Counts {
	var c Counts
	for _, p := range s.Params() {
		c.Total += p.Count()
		if p.Trainable {
			c.Trainable += p.Count()
		}
	}
	for _, l := range s.Layers() {
		c.MACs += l.MACs()
	}
	return c
}
