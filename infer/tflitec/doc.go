// Package tflitec is the TensorFlow Lite runtime: the TFLite C library through go-tflite, with its built-in kernels
// (delegate "none") or XNNPACK's. It exists in binaries built with the tag tflite, against the library that
// native/fetch.sh brings; native/include has the declarations. Without the tag the package is empty.
//
// go-tflite is thin, and this is the one place that uses it:
//
//	tflitec.go  Runtime and the session: every length, index, element type and nil result is checked
//	handle.go   what go-tflite lacks or gets wrong, and the way around it
//	observe.c   what runs really: the execution plan read before and after a delegate has taken its part; the
//	            runtime's error messages as text
//	profile.go  time by operator, the runtime's own and the delegate's
//	profile.c   what the runtime tells of operators as they run
//	xnnpack.go  XNNPACK's delegate, with the options that go-tflite's lacks
//	plugin.go   delegates that are libraries of their own, loaded when they are asked for
//	load.go     where the library is looked for
//	load_*.c    loading it when the program runs: without it the program starts all the same
//
// A model passes infer.Decode before the library sees a byte of it.
package tflitec
