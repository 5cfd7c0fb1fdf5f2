//go:build tflite && cgo

package tflitec

// A binary finds the library beside itself, or in lib under it.

// #cgo linux LDFLAGS: -Wl,-rpath,$ORIGIN -Wl,-rpath,$ORIGIN/lib
// #cgo darwin LDFLAGS: -Wl,-rpath,@loader_path -Wl,-rpath,@loader_path/lib
import "C"
