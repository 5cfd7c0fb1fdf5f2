package infer

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"mnet-edge/graph"
)

// ErrMetadata marks a model that does not say what its input means; the caller may say it with Given.
var ErrMetadata = errors.New("the model has no metadata")

// Given is what a person says about a model beside the file. It goes before what the file says.
type Given struct {
	Mean, Std []float32 // one value, or one a channel; both or none
	Labels    []string  // one a class
}

// Model is an image classifier: what goes into its tensors and what comes out. It holds no arithmetic, so it serves
// every runtime.
type Model struct {
	Graph         *graph.Graph
	Input, Output Tensor
	Height, Width int        // of the input image, in pixels
	Classes       int        // number of scores; 0 where LoadImage found none
	Labels        []string   // Classes names, or nil where neither the file nor Given has any
	Mean, Std     [3]float32 // network input = (pixel - Mean) / Std, pixel 0..255, channels R, G, B

	head   *graph.Node    // softmax or sigmoid, whose probabilities the scores are; nil: they are logits
	tables [3][256][]byte // input bytes of a channel's pixel value
}

// Load reads a .tflite image classifier: float32, int8 or uint8 input (1, H, W, 3), output of as many scores as classes.
// Errors wrap ErrModel; of a model without normalization, when Given has none either, also ErrMetadata.
func Load(model []byte, given Given) (*Model, error) {
	g, err := Decode(model)
	if err != nil {
		return nil, err
	}
	m := &Model{Graph: g, Input: TensorOf(g.Inputs[0]), Output: TensorOf(g.Outputs[0])}
	return m.checked(given, m.image, m.scores, m.normalization, m.labels)
}

// LoadImage is Load of a graph that takes an image, and may give anything. Where that is not one output with scores of classes,
// Classes is 0, and there are no Labels.
func LoadImage(g *graph.Graph, given Given) (*Model, error) {
	if len(g.Inputs) != 1 {
		return nil, fmt.Errorf("%w: %d inputs: want one", ErrModel, len(g.Inputs))
	}
	m := &Model{Graph: g, Input: TensorOf(g.Inputs[0])}
	if len(g.Outputs) == 1 {
		if m.Output = TensorOf(g.Outputs[0]); m.scores(given) == nil {
			return m.checked(given, m.image, m.normalization, m.labels)
		}
	}
	m.Output, m.Classes = Tensor{}, 0
	return m.checked(given, m.image, m.normalization)
}

// checked is the model if it passes the checks, which fill it in.
func (m *Model) checked(given Given, checks ...func(Given) error) (*Model, error) {
	for _, check := range checks {
		if err := check(given); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrModel, err)
		}
	}
	m.fillTables()
	return m, nil
}

// TensorOf describes a graph's input or output.
func TensorOf(v *graph.Value) Tensor { return Tensor{v.Name, v.Type} }

func (m *Model) image(Given) error {
	t := m.Input.Type
	if len(t.Shape) != 4 || t.Shape[0] != 1 || t.Shape[3] != 3 {
		return fmt.Errorf("input %q is %v%v: want an image (1, H, W, 3)", m.Input.Name, t.DType, t.Shape)
	}
	m.Height, m.Width = t.Shape[1], t.Shape[2]
	return m.Input.checkNumbers("input")
}

func (m *Model) scores(Given) error {
	t := m.Output.Type
	if m.Classes = t.Elements(); len(t.Shape) < 2 || t.Shape[len(t.Shape)-1] != m.Classes || m.Classes < 2 {
		return fmt.Errorf("output %q is %v%v: want one score a class, (1, classes)", m.Output.Name, t.DType, t.Shape)
	}
	m.head = headOf(m.Graph.Outputs[0])
	return m.Output.checkNumbers("output")
}

// checkNumbers holds a tensor to the types whose values this package can turn to real numbers and back.
func (t Tensor) checkNumbers(what string) error {
	switch q := t.Type.Quant; t.Type.DType {
	case graph.Float32:
		return nil
	case graph.Int8, graph.UInt8, graph.Int16:
		if q == nil || len(q.Scale) != 1 {
			return fmt.Errorf("%s %q is %v without one scale and zero point", what, t.Name, t.Type.DType)
		}
		return nil
	}
	return fmt.Errorf("%s %q is %v: want float32, int8, uint8 or int16", what, t.Name, t.Type.DType)
}

func (m *Model) normalization(given Given) error {
	mean, std := given.Mean, given.Std
	if mean == nil && std == nil {
		mean, std = m.Graph.Meta.Mean, m.Graph.Meta.Std
	}
	if len(mean) == 0 && len(std) == 0 {
		return fmt.Errorf("%w: mean and std of its input are unknown", ErrMetadata)
	}
	for _, f := range []struct {
		name string
		from []float32
		to   *[3]float32
	}{{"mean", mean, &m.Mean}, {"std", std, &m.Std}} {
		switch len(f.from) {
		case 1:
			*f.to = [3]float32{f.from[0], f.from[0], f.from[0]}
		case 3:
			*f.to = [3]float32(f.from)
		default:
			return fmt.Errorf("%s has %d values: want 1 or 3", f.name, len(f.from))
		}
		for _, x := range f.to {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return fmt.Errorf("%s %v is not a number", f.name, x)
			}
		}
	}
	for _, s := range m.Std {
		if s <= 0 {
			return fmt.Errorf("std %v: want more than 0", s)
		}
	}
	return nil
}

func (m *Model) labels(given Given) error {
	m.Labels = given.Labels
	if m.Labels == nil {
		m.Labels = m.Graph.Meta.Labels
	}
	if len(m.Labels) == 0 {
		m.Labels = nil
		return nil
	}
	if len(m.Labels) != m.Classes {
		return fmt.Errorf("%d labels for %d classes", len(m.Labels), m.Classes)
	}
	for i, l := range m.Labels {
		if strings.TrimSpace(l) == "" || !utf8.ValidString(l) || strings.ContainsFunc(l, invisible) {
			return fmt.Errorf("label %d is %q: want a name in UTF-8 without control characters", i, l)
		}
	}
	return nil
}

// invisible is a character that would change how the text around it is shown. Joiners are letters' business.
func invisible(r rune) bool {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return !unicode.IsGraphic(r) && r != nonJoiner && r != joiner
}
