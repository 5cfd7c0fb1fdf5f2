package infer

import (
	"fmt"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
)

// softmaxOf is the softmax that v has the result of, be it in another number format or shape; nil: v has none's.
func softmaxOf(v *graph.Value) *graph.Node {
	for v.Def != nil {
		switch v.Def.Op.(type) {
		case graph.Softmax:
			return v.Def
		case graph.Quantize, graph.Dequantize, graph.Reshape:
			v = v.Def.In[0]
		default:
			return nil
		}
	}
	return nil
}

// LoadLogits is Load of a model's like whose scores are logits, and that one's file: the model itself, or if it ends in a softmax what
// comes before that. A softmax in int8 has steps of 1/256, in which little of what a classifier knows of the classes it does not choose is left.
func LoadLogits(model []byte, given Given) (*Model, []byte, error) {
	m, err := Load(model, given)
	if err != nil || m.softmax == nil {
		return m, model, err
	}
	if beta := m.softmax.Op.(graph.Softmax).Beta; beta != 1 {
		return nil, nil, fmt.Errorf("%w: its softmax has beta %v, which its logits would lack: want 1", ErrModel, beta)
	}
	m.Graph.Outputs = []*graph.Value{m.softmax.In[0]}
	if err := m.Graph.RemoveUnread(); err != nil {
		return nil, nil, err
	}
	logits, err := tflite.Encode(m.Graph)
	if err != nil {
		return nil, nil, err
	}
	m, err = Load(logits, given)
	return m, logits, err
}
