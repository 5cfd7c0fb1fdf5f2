package infer

import (
	"fmt"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
)

// Decode reads a .tflite file that has one input and one output. It is the gate that every runtime's Open puts before
// its own loader. The graph's weights may lie in model. Errors wrap ErrModel.
func Decode(model []byte) (*graph.Graph, error) {
	g, _, err := DecodeOrigins(model)
	return g, err
}

// DecodeOrigins is Decode, with the number of the file's operator that each node of the graph is read from. A runtime's nodes are
// the file's.
func DecodeOrigins(model []byte) (*graph.Graph, []int, error) {
	g, origins, err := tflite.DecodeOrigins(model)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	if len(g.Inputs) != 1 || len(g.Outputs) != 1 {
		return nil, nil, fmt.Errorf("%w: %d inputs and %d outputs: want one each", ErrModel, len(g.Inputs), len(g.Outputs))
	}
	return g, origins, nil
}

// CheckSize reports a buffer that is not the tensor's size.
func (t Tensor) CheckSize(n int) error {
	if want := t.Type.Bytes(); n != want {
		return fmt.Errorf("infer: %d bytes for %q, which has %d: %v%v", n, t.Name, want, t.Type.DType, t.Type.Shape)
	}
	return nil
}
