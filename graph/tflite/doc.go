// Package tflite is the .tflite codec of a graph.Graph: Encode writes a file, Decode reads one, of this package or of
// another tool within the same operators. Decode(Encode(g)) prints the same text as g.
//
// A file is a flatbuffer of schema version 3, identifier "TFL3", little-endian, and behind it, where there are labels,
// an ordinary ZIP archive. As Encode writes it:
//
//	file       = Model [ ZIP ]               ZIP: labels.txt, stored, one label a line, offsets from the file's start
//	Model      = version 3, description, OperatorCode..., SubGraph, Buffer..., Metadata..., SignatureDef
//	OperatorCode = code and lowest version; one for each pair, in order of first use
//	SubGraph   = name, Tensor..., input and output indices, Operator... in execution order
//	Tensor     = shape, type, Buffer index (0 has no data), name, [ quantization ]
//	quantization = scale..., zero point..., axis; [ min, max ]: the Range of an activation
//	Operator   = OperatorCode index, input and output tensor indices, options
//	Buffer     = bytes, the first at a multiple of 16; number 0 is empty. Two int4 share a byte, the first in the low half
//	Metadata   = "min_runtime_version"       the oldest TensorFlow release that has all versions, NUL padded to 16 bytes
//	           | "TFLITE_METADATA"           ModelMetadata, a flatbuffer of its own, identifier "M001"
//	           | NAME                        an entry of Meta.Extra
//	ModelMetadata = name, description, version, author, license; of the first input normalization and the normalized
//	             values of pixels 0 and 255, of the first output, or the one that had it, the file of labels
//	SignatureDef = "serving_default", or the key that it had: the inputs and outputs by name
//
// Tensors stand in the order of graph.Values. Attributes that the format has as inputs (the axes of a mean, the
// padding, the new shape) are int32 constants before the operator's result. The numbers of fields and
// operators are in schema.go, how each operator is written and read in the tables of ops.go.
//
// Decode also takes what Encode does not write: a SQUEEZE or an EXPAND_DIMS, as a reshape; a SPLIT, an UNPACK, a PACK and the like, as
// slices, reshapes and concatenations (rearrange.go); and the operators that compute a reshape's shape from a batch that the converter
// did not know (shapes.go). Where one operator is read as several, the results between them are called NAME/1, NAME/2 after its own.
//
// DecodeHead reads a file with operators that the graph has no forms for: the graph as far as it goes, and the rest as a Tail, whose own Encode
// writes both (tail.go).
//
// What a file does not keep: the level, which follows from the content (see Decode), and that a float convolution had
// no bias, as runtimes refuse one without. Nor does a graph keep what another tool's file says of it beside this: descriptions of tensors,
// their calibration, files attached to them, signatures but the first.
package tflite
