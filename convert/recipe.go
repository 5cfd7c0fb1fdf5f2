package convert

import (
	"errors"
	"fmt"
	"slices"

	"mnet-edge/graph"
)

// Scheme is the number format of the converted model.
type Scheme string

const (
	Float32 Scheme = "float32" // weights and activations stay float32
	Float16 Scheme = "float16" // weights are float16, dequantized on loading; arithmetic stays float32
	Dynamic Scheme = "dynamic" // int8 weights; activations are float32, and quantized by their own range in each run
	Int8    Scheme = "int8"    // int8 weights and activations, int32 biases, integer arithmetic throughout
	Int16x8 Scheme = "int16x8" // int8 weights, int16 activations around 0, int64 biases
	Int4    Scheme = "int4"    // as Int8, with 4-bit weights where the runtimes take them
)

// Schemes are those that Run knows, the plainest first.
var Schemes = []Scheme{Float32, Float16, Dynamic, Int8, Int16x8, Int4}

// Integer reports whether activations become integers: the scheme needs calibration samples.
func (s Scheme) Integer() bool { return s == Int8 || s == Int16x8 || s == Int4 }

// SchemeOf is the scheme in which most of a graph's multiply-accumulates are done, be it a graph of ours or not; Float32 of one that has none.
func SchemeOf(g *graph.Graph) Scheme {
	shares := map[Scheme]float64{}
	for _, n := range g.Nodes {
		if axis, ok := n.OutputAxis(); ok {
			shares[schemeOf(n)] += macs(n, axis)
		}
	}
	most := Float32
	for _, s := range Schemes {
		if shares[s] > shares[most] {
			most = s
		}
	}
	return most
}

// schemeOf is that of a layer.
func schemeOf(n *graph.Node) Scheme {
	x, w := n.In[0].Type.DType, n.In[1]
	halves := false
	if w.Def != nil {
		_, restored := w.Def.Op.(graph.Dequantize)
		halves = restored && w.Def.In[0].Type.DType == graph.Float16
	}
	switch {
	case x == graph.Int16:
		return Int16x8
	case x != graph.Float32 && w.Type.DType == graph.Int4:
		return Int4
	case x != graph.Float32:
		return Int8
	case w.Type.DType != graph.Float32:
		return Dynamic
	case halves:
		return Float16
	}
	return Float32
}

// activation is the element type that an integer scheme gives activations.
func (s Scheme) activation() graph.DType {
	if s == Int16x8 {
		return graph.Int16
	}
	return graph.Int8
}

// weight is the element type of a layer's weights in an integer scheme; kernels for int16 activations take int8 alone.
func (s Scheme) weight(n *graph.Node) graph.DType {
	if _, conv := n.Op.(graph.Conv2D); s == Int4 && conv && n.In[0].Type.DType == graph.Int8 {
		return graph.Int4
	}
	return graph.Int8
}

// Choice is one of the ways a step of the conversion can be done. Where a recipe says nothing, what does best on
// samples held out is chosen, see Result.Trials.
type Choice = string

const (
	Off           Choice = "off"
	On            Choice = "on"
	ByWeights     Choice = "weights"     // Recipe.Equalize: one range for the weights of all channels
	ByActivations Choice = "activations" // Recipe.Equalize: one range for the values of all channels
	ByBoth        Choice = "both"        // Recipe.Equalize: by weights, then by activations
)

// Recipe is what determines a conversion, apart from the network and the samples. The zero value of Scheme is Int8; a
// choice left empty is made by trial, and Result.Recipe says how it was made. A recipe without an empty choice gives
// the same bytes again.
type Recipe struct {
	Scheme       Scheme `json:"scheme"`
	FloatIO      bool   `json:"float_io"`                 // integers inside, float32 input and output
	PerTensor    bool   `json:"per_tensor"`               // one scale for each weight, not one for each of its channels
	PerChannelFC bool   `json:"per_channel_fc,omitempty"` // a scale for each channel in fully connected layers too
	Partial      bool   `json:"partial,omitempty"`        // operators without an integer form stay float32
	Observer     Choice `json:"observer,omitempty"`       // a name of Observers
	Equalize     Choice `json:"equalize,omitempty"`       // Off, ByActivations, ByWeights, ByBoth
	CorrectBias  Choice `json:"correct_bias,omitempty"`   // Off, On
	RoundWeights Choice `json:"round_weights,omitempty"`  // Off (to the nearest), On (to what the layer's sums want)

	// Ranges are those of activations, by name, that the network was trained to be quantized with; what is not named is observed.
	Ranges map[string]graph.Interval `json:"ranges,omitempty"`

	keepInput bool // leaves the input float32 for layers that are kept so

	// KeepFloat names layers that stay float32, between DEQUANTIZE and QUANTIZE.
	KeepFloat []string `json:"keep_float,omitempty"`

	// KeepInt16 names layers whose results stay int16 up to those that read them: both compute as in Int16x8, so that what lies
	// between them is not rounded to 8 bits.
	KeepInt16 []string `json:"keep_int16,omitempty"`

	// Budget is the work that choosing may take, in multiply-accumulates; 0 stands for DefaultBudget, less for none.
	Budget float64 `json:"budget_macs,omitempty"`
}

// option is one choice of a recipe.
type option struct {
	name    string
	field   func(*Recipe) *Choice
	choices []Choice // the plainest first
}

var options = []option{
	{"correct_bias", func(r *Recipe) *Choice { return &r.CorrectBias }, []Choice{Off, On}},
	{"equalize", func(r *Recipe) *Choice { return &r.Equalize }, []Choice{Off, ByActivations, ByWeights, ByBoth}},
	{"observer", func(r *Recipe) *Choice { return &r.Observer }, Observers()},
	{"round_weights", func(r *Recipe) *Choice { return &r.RoundWeights }, []Choice{Off, On}},
}

// fill makes the choices that are left open.
func (r *Recipe) fill(pick func(choices []Choice) Choice) {
	for _, o := range options {
		if f := o.field(r); *f == "" {
			*f = pick(o.choices)
		}
	}
}

// Trained is the recipe for a network that was trained to be quantized, with these ranges: what is left open is done in the plainest
// way, which is how it was trained.
func (r Recipe) Trained(ranges map[string]graph.Interval) Recipe {
	r.Ranges = ranges
	r.fill(plainest)
	return r
}

// budget is the work that choosing may take.
func (r Recipe) budget() float64 {
	if r.Budget == 0 {
		return DefaultBudget
	}
	return max(r.Budget, 0)
}

func optionNamed(name string) option {
	return options[slices.IndexFunc(options, func(o option) bool { return o.name == name })]
}

func plainest(choices []Choice) Choice { return choices[0] }

// perChannel reports whether an operator's weights get a scale for each output channel.
func (r Recipe) perChannel(op graph.Op) bool {
	switch op.(type) {
	case graph.FullyConnected:
		return r.PerChannelFC
	case graph.DepthwiseConv2D:
		return !r.PerTensor || r.Scheme == Dynamic
	}
	return !r.PerTensor
}

// open reports whether a choice is left to be made.
func (r Recipe) open() bool {
	return slices.ContainsFunc(options, func(o option) bool { return *o.field(&r) == "" })
}

// Check reports what no conversion knows.
func (r Recipe) Check() error {
	if !slices.Contains(Schemes, r.Scheme) {
		return fmt.Errorf("unknown scheme %q", r.Scheme)
	}
	if r.PerTensor && r.PerChannelFC {
		return errors.New("both one scale a weight and one a channel")
	}
	for _, o := range options {
		if v := *o.field(&r); v != "" && !slices.Contains(o.choices, v) {
			return fmt.Errorf("unknown %s %q: want one of %q", o.name, v, o.choices)
		}
	}
	if r.Ranges != nil && r.Equalize != "" && r.Equalize != Off {
		return fmt.Errorf("equalize %q: the ranges the network was trained with would not be those of the equalized one", r.Equalize)
	}
	return nil
}
