// Package infer runs .tflite models and measures them: what ran, how fast, how well.
//
//	Load(bytes)              Model    what the input means (size, mean, std) and what the output means (labels)
//	Open(runtimes, bytes)    Session  Write, Invoke, Read: bytes in, bytes out
//	Measure(session)         Latency  of Invoke alone, after a warm-up
//	Evaluate(model, session) Accuracy with its confidence interval, and the Latency of the same calls
//	NewVerifier(model)       Agreement of a session's answers with the reference interpreter's
//	ProfileOn(runtime)       Profile  where the time of a call goes, node by node
//
// A file is checked by Decode before any runtime sees it, so a hostile one costs an error. Runtimes:
//
//	tflite     infer/tflitec  the TFLite C library: built-in kernels, XNNPACK (cgo, tag tflite)
//	native     infer/native   int8 in Go and assembly, for each family of processors
//	litert     infer/litert   LiteRT: its CPU and GPU accelerators, loaded at run time
//	reference  NewReference   graph/interp in plain Go: slow, the same bits everywhere, always there
//
// Every runtime passes infer/infertest. Times are in microseconds, fractions in 0..1.
package infer
