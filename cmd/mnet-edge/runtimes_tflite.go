//go:build tflite && cgo

package main

import (
	"mnet-edge/infer"
	"mnet-edge/infer/tflitec"
)

// tfliteRuntime is the TFLite C library.
func tfliteRuntime() infer.Runtime { return tflitec.New() }
