//go:build tflite && cgo

package main

import "mnet-edge/infer/tflitec"

// tflite are the runners of the TFLite library.
func tflite(threads int) []runner {
	r := tflitec.New()
	return []runner{inProcess("TFLite "+r.Version(), r, tflitec.XNNPACK, threads)}
}
