// Package litert is the LiteRT runtime: libLiteRt.so, loaded at run time, with its CPU accelerator (delegate "litert",
// XNNPACK inside) and its GPU accelerator (delegate "gpu": WebGPU over Vulkan, in a library of its own). There is no C
// in it: the functions are called through purego. A binary built without cgo has none of it, since loading libraries takes
// the C library, and such a binary is a static one. Where a library is not there, Devices says so and Open is ErrUnavailable.
//
//	litert.go       the Runtime: which accelerator, and whether its library is there
//	library.go      the part of LiteRT's C API in use, loaded
//	session.go      environment and model, from a file to what is ready to run
//	compiled.go     options, compiled model, buffers; Write, Invoke, Read
//	signatures.go   what of a model LiteRT does not get
//	nodes.go        which nodes an accelerator took, from LiteRT's profiler
//	profile.go      time by operator, likewise
//	output.go       what LiteRT prints while it opens a model, kept from the terminal and used as the reason of an error
//	absent.go       the Runtime of systems for which LiteRT has no library
//
// A model passes infer.Decode before the library sees a byte of it.
package litert
