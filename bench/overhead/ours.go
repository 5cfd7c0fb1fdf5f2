//go:build !(tflite && cgo)

package main

import "mnet-edge/infer"

// ours is empty: TensorFlow Lite is not in this build.
func ours() []infer.Runtime { return nil }
