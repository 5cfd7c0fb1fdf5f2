package infer

import (
	"fmt"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
)

// headOf is the softmax or the sigmoid whose result v is, in whatever number format and shape; nil where it is neither's.
func headOf(v *graph.Value) *graph.Node {
	for v.Def != nil {
		switch op := v.Def.Op.(type) {
		case graph.Softmax:
			return v.Def
		case graph.Unary:
			if op.Fn == graph.Logistic {
				return v.Def
			}
			return nil
		case graph.Quantize, graph.Dequantize, graph.Reshape:
			v = v.Def.In[0]
		default:
			return nil
		}
	}
	return nil
}

// LoadLogits is Load of a model as far as its logits, with the file of that: the model itself or, where it ends in a softmax, what comes
// before. An int8 softmax has steps of 1/256, in which little is left of what a classifier knows of the classes it does not choose.
func LoadLogits(model []byte, given Given) (*Model, []byte, error) {
	m, err := Load(model, given)
	if err != nil || m.head == nil {
		return m, model, err
	}
	softmax, ok := m.head.Op.(graph.Softmax)
	switch {
	case !ok:
		return nil, nil, fmt.Errorf("%w: it ends in a sigmoid, whose classes don't exclude each other: want a softmax, or logits", ErrModel)
	case softmax.Beta != 1:
		return nil, nil, fmt.Errorf("%w: its softmax has beta %v, which its logits would lack: want 1", ErrModel, softmax.Beta)
	}
	m.Graph.Outputs = []*graph.Value{m.head.In[0]}
	m.Graph.RemoveUnread()
	logits, err := tflite.Encode(m.Graph)
	if err != nil {
		return nil, nil, err
	}
	m, err = Load(logits, given)
	return m, logits, err
}
