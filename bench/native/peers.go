//go:build tflite && cgo

package main

import "mnet-edge/infer/tflitec"

// peers are the runtimes to compare with.
func peers() []runner {
	return []runner{{"xnnpack", tflitec.New(), tflitec.XNNPACK, 1}}
}
