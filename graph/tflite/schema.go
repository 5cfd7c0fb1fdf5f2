package tflite

import (
	"fmt"
	"strings"

	"mnet-edge/graph"
)

// The parts of TFLite's schema (version 3, revision d) and of its metadata schema (1.5.0) that this package reads and
// writes. A field's number is its place in the table's declaration; a union takes two, its type and its value.

const (
	modelID       = "TFL3" // file identifiers, at byte 4
	metadataID    = "M001"
	schemaVersion = 3
)

const (
	modelVersion = iota // uint32
	modelOperatorCodes
	modelSubgraphs
	modelDescription
	modelBuffers
	_ // metadata_buffer, deprecated
	modelMetadata
	modelSignatures
)

const (
	codeDeprecated = iota // int8: the code, or 127 when it is larger
	codeCustom            // string
	codeVersion           // int32, 1
	codeBuiltin           // int32
)

const (
	subgraphTensors   = iota
	subgraphInputs    // [int32]
	subgraphOutputs   // [int32]
	subgraphOperators // in execution order
	subgraphName
)

const (
	tensorShape  = iota // [int32]
	tensorType          // int8
	tensorBuffer        // uint32
	tensorName
	tensorQuantization
	tensorVariable // bool
	tensorSparsity
	tensorSignature // [int32]: the shape with -1 where it may change
	tensorHasRank   // bool
	tensorVariants
	tensorExternal // uint32
)

const (
	quantMin     = iota // [float32]
	quantMax            // [float32]
	quantScale          // [float32]
	quantZero           // [int64]
	quantDetails        // uint8, a union's type
	_
	quantAxis // int32
)

const (
	operatorCode        = iota // uint32
	operatorInputs             // [int32], -1 is an absent one
	operatorOutputs            // [int32]
	operatorOptionsType        // uint8
	operatorOptions
	operatorCustom        // [uint8], options of a custom operator
	operatorFormat        // int8, of those
	operatorMutating      // [bool]: inputs that are state
	operatorIntermediates // [int32]
	operatorLarge         // uint64: options outside the flatbuffer
	_
	operatorOptions2Type // uint8
)

const (
	bufferData   = iota // [uint8], aligned to 16
	bufferOffset        // uint64: data outside the flatbuffer
)

const (
	entryName   = iota // Metadata
	entryBuffer        // uint32
)

const (
	signatureInputs = iota // [TensorMap]
	signatureOutputs
	signatureKey
)

const (
	mapName  = iota // TensorMap
	mapIndex        // uint32
)

// Conv2DOptions and DepthwiseConv2DOptions begin alike.
const (
	windowPadding = iota // int8
	windowStrideW        // int32
	windowStrideH        // int32
	convActivation
	convDilationW // int32, 1; height follows
)

const (
	depthMultiplier = 3 + iota // int32
	depthActivation
	depthDilationW
)

const (
	denseActivation = iota // FullyConnectedOptions
	denseFormat            // int8, 0 is the ordinary one
	denseKeepDims          // bool
	denseAsymmetric        // bool
)

// Pool2DOptions begin as Conv2DOptions do.
const (
	poolWidth = 3 + iota // int32; height follows
	_
	poolActivation
)

const (
	concatAxis           = iota // ConcatenationOptions, int32
	concatActivation            // int8
	arithmeticActivation = 0    // AddOptions, SubOptions, MulOptions, int8
	arithmeticPower      = 1    // of Add and Sub, bool, true: int16 scales are powers of two
	softmaxBeta          = 0    // SoftmaxOptions, float32
	l2Activation         = 0    // L2NormOptions, int8
	matMulAdjX           = 0    // BatchMatMulOptions, bool; adj_y follows
	transposeActivation  = 3    // TransposeConvOptions, int8; they begin as Conv2DOptions do
	leakyAlpha           = 0    // LeakyReluOptions, float32
	geluApproximate      = 0    // GeluOptions, bool
	bilinearCorners      = 2    // ResizeBilinearOptions, bool; half_pixel_centers follows
	nearestCorners       = 0    // ResizeNearestNeighborOptions, likewise
)

const (
	sliceBegin = iota // StridedSliceOptions, int32 masks
	sliceEnd
	sliceEllipsis
	sliceNewAxis
	sliceShrink
	sliceOffset // bool: ends count from begins
)

const (
	blockSize       = 0 // SpaceToDepthOptions, DepthToSpaceOptions, int32
	packAxis        = 1 // PackOptions, UnpackOptions, int32, after the number of them
	mirrorMode      = 0 // MirrorPadOptions, int8
	mirrorReflect   = int8(0)
	mirrorSymmetric = int8(1)
	reduceKeepDims  = 0 // ReducerOptions, bool
	reshapeNewShape = 0 // ReshapeOptions, [int32]
)

// Fields of the metadata.
const (
	infoName = iota // ModelMetadata
	infoDescription
	infoVersion
	infoSubgraphs
	infoAuthor
	infoLicense
	_ // associated_files of the whole model
	infoMinParser
)

const (
	subinfoInputs  = 2 // SubGraphMetadata, [TensorMetadata]
	subinfoOutputs = 3
)

const (
	tinfoName = iota // TensorMetadata
	_                // description
	_                // dimension_names
	tinfoContent
	tinfoProcess // [ProcessUnit]
	tinfoStats
	tinfoFiles // [AssociatedFile]
)

const (
	contentType = iota // Content: a union's type
	contentValue
	contentFeature uint8 = 1 // members of the union
	contentImage   uint8 = 2
)

const (
	imageColor = iota // ImageProperties, int8
	imageSize         // ImageSize: width 0, height 1
	imageRGB   int8   = 1
	imageGray  int8   = 2
)

const (
	processType      = iota // ProcessUnit: a union's type
	processValue            // NormalizationOptions: mean 0, std 1
	processNormalize uint8  = 1
)

const (
	statsMax = iota // Stats, [float32]
	statsMin
)

const (
	fileName        = iota // AssociatedFile
	_                      // description
	fileType               // int8
	fileAxisLabels  int8   = 2
	fileValueLabels int8   = 3
)

// tensorTypes is TensorType of each element type.
var tensorTypes = map[graph.DType]int8{
	graph.Float32: 0, graph.Float16: 1, graph.Int32: 2, graph.UInt8: 3, graph.Int64: 4, graph.Int16: 7, graph.Int8: 9,
	graph.Int4: 17,
}

var dtypes = func() map[int8]graph.DType {
	m := map[int8]graph.DType{}
	for d, t := range tensorTypes {
		m[t] = d
	}
	return m
}()

// typeName names a TensorType in errors.
func typeName(t int8) string {
	names := strings.Fields("FLOAT32 FLOAT16 INT32 UINT8 INT64 STRING BOOL INT16 COMPLEX64 INT8 FLOAT64 COMPLEX128 " +
		"UINT64 RESOURCE VARIANT UINT32 UINT16 INT4 BFLOAT16 INT2 UINT4")
	if t >= 0 && int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("TensorType(%d)", t)
}

// Members of BuiltinOperator: those that a graph has a form for, those that are read as others, SHAPE, which is computed, and CUSTOM.
const (
	opAdd                   = 0
	opAveragePool2D         = 1
	opConcatenation         = 2
	opConv2D                = 3
	opDepthwiseConv2D       = 4
	opDepthToSpace          = 5
	opDequantize            = 6
	opFloor                 = 8
	opFullyConnected        = 9
	opL2Normalization       = 11
	opLogistic              = 14
	opMaxPool2D             = 17
	opMul                   = 18
	opReLU                  = 19
	opReLUN1To1             = 20
	opReLU6                 = 21
	opReshape               = 22
	opResizeBilinear        = 23
	opSoftmax               = 25
	opSpaceToDepth          = 26
	opTanh                  = 28
	opCustom                = 32 // one that is known by its name alone
	opPad                   = 34
	opTranspose             = 39
	opMean                  = 40
	opSub                   = 41
	opDiv                   = 42
	opSqueeze               = 43
	opStridedSlice          = 45
	opExp                   = 47
	opSplit                 = 49
	opPReLU                 = 54
	opMaximum               = 55
	opMinimum               = 57
	opNeg                   = 59
	opSlice                 = 65
	opSin                   = 66
	opTransposeConv         = 67
	opTile                  = 69
	opExpandDims            = 70
	opLog                   = 73
	opSum                   = 74
	opSqrt                  = 75
	opRsqrt                 = 76
	opShape                 = 77
	opPow                   = 78
	opReduceMax             = 82
	opPack                  = 83
	opUnpack                = 88
	opReduceMin             = 89
	opSquare                = 92
	opResizeNearestNeighbor = 97
	opLeakyReLU             = 98
	opSquaredDifference     = 99
	opMirrorPad             = 100
	opAbs                   = 101
	opSplitV                = 102
	opCeil                  = 104
	opReverseV2             = 105
	opCos                   = 108
	opElu                   = 111
	opQuantize              = 114
	opRound                 = 116
	opHardSwish             = 117
	opBatchMatMul           = 126
	opGelu                  = 150
	opReLU0To1              = 152
)

// builtinNames are the BuiltinOperators by code, for errors about those outside the set.
var builtinNames = strings.Fields(`ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
	EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION
	LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX
	SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD
	UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE
	UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE
	BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL
	SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW
	ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN
	FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
	SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU
	REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4
	NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER CUMSUM CALL_ONCE
	BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
	CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE
	RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX
	UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT`)

func builtinName(code int32) string {
	if code >= 0 && int(code) < len(builtinNames) {
		return builtinNames[code]
	}
	return fmt.Sprintf("BuiltinOperator(%d)", code)
}
