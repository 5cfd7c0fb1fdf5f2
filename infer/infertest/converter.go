package infertest

import (
	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/quant"
)

// UInt8Model is Small as the TensorFlow converter writes it when it is asked for uint8: int8 between a QUANTIZE of the input
// and one to the output, and no metadata. Input pixels (pixel - 0) / 255 have the scale 1/255 and the zero point 0.
func UInt8Model() ([]byte, error) {
	g, err := Net(Small, Int8Float, 1)
	if err != nil {
		return nil, err
	}
	in, last := g.Inputs[0], g.Nodes[len(g.Nodes)-1]
	in.Type.DType, in.Type.Quant = graph.UInt8, quant.PerTensor(1.0/255, 0)
	scale, zero := last.In[0].Type.Quant.At(0)
	last.Op = graph.Quantize{To: graph.UInt8}
	last.Out.Type.DType, last.Out.Type.Quant = graph.UInt8, quant.PerTensor(scale, zero+128)
	g.Meta = graph.Meta{}
	return tflite.Encode(g)
}
