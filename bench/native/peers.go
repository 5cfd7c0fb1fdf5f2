//go:build tflite && cgo

package main

import "mnet-edge/infer/tflitec"

// tfliteRunners are the runners of the TFLite library.
func tfliteRunners(threads int) []runner {
	r := tflitec.New()
	return []runner{inProcess("TFLite "+r.Version(), r, tflitec.XNNPACK, threads)}
}
