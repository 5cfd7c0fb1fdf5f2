// Package convert leads a trained network to the graph that a .tflite file holds.
//
//	Lower       checkpoint -> graph at level Float, in TFLite's layouts
//	Recipe      what is asked: scheme, element type of input and output, how activations are observed
//	Run         applies the pass table, with graph.Check between any two passes
//	Observer    watches an activation during calibration and proposes its range
//
// The passes stand in one table (passes.go) and say which level they take and give:
//
//	fold-batch-norm     float  -> float      BN's affine map goes into the weights before it
//	fuse-activation     float  -> folded     ReLU becomes part of the operator before it
//	calibrate           folded -> ranged     the float network runs on samples, observers watch
//	share-range         ranged -> ranged     operators that only move data keep one range for input and output
//	quantize            ranged -> quantized  int8 activations and weights, int32 biases
//	float-io            quantized            float32 at the edges, between QUANTIZE and DEQUANTIZE
//
// Calibration data comes as a sequence of input tensors, so that nothing here knows about images or files. The same
// recipe, checkpoint and samples give the same bytes on every machine.
package convert
