//go:build !(tflite && cgo)

package main

import "mnet-edge/infer"

// tfliteRuntime is nil: this binary has no TFLite library.
func tfliteRuntime() infer.Runtime { return nil }
