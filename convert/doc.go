// Package convert leads a trained network to the graph that a .tflite file holds.
//
//	Lower       checkpoint -> graph at level Float, in TFLite's layouts
//	Recipe      what is asked: scheme, element type of input and output, and a Choice for each step that has several
//	Run         applies the pass table, with graph.Check between any two passes, and measures the result
//	Observers   the names of the ways to choose an activation's range (observer.go) from its histogram (histogram.go)
//	Result      the graph, the recipe with every choice made, the Trials behind them, Calibration and LayerReports
//
// The passes stand in one table (passes.go) and say which level they take and give:
//
//	fold-batch-norm     float  -> folded     BN's affine map goes into the weights before it
//	fuse-activation     folded -> folded     ReLU becomes part of the operator before it
//	fold-constants      folded -> folded     what hangs on constants alone becomes one
//	halve-weights       folded -> quantized  float16: weights and biases are float16, behind DEQUANTIZE
//	weights-only        folded -> quantized  dynamic range: weights are int8, and that is all
//	choose              folded               what the recipe leaves open is decided by trial, on samples held out
//	equalize            folded               channels are brought to one size, by factors that cancel
//	calibrate           folded -> ranged     the float network runs on samples, an observer chooses the ranges
//	share-range         ranged -> ranged     operators that only move data keep one range for input and output
//	quantize            ranged -> quantized  activations, weights and biases are integers
//	refine              quantized            layer by layer, single weights go up or down for the sake of their layer's sums, and what
//	                                         rounding shifted a channel's mean by is taken from its bias
//	float-io            quantized            float32 at the edges, between QUANTIZE and DEQUANTIZE
//
// What runs on samples runs as a crew (samples.go), a machine for each processor that takes several samples at once (batch.go); what
// trials have in common is in works (rounded.go).
//
// The why of each step is in docs/quantization.md, its sources at the functions.
//
// Calibration data comes as a sequence of input tensors, so that nothing here knows about images or files. The same
// recipe, checkpoint and samples give the same bytes on every machine: sums over samples are exact, or taken in the
// samples' order, and products are rounded before they are added, where a processor might fuse the two.
package convert
