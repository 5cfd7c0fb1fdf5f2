//go:build tflite && cgo

package main

import (
	"mnet-edge/infer"
	"mnet-edge/infer/tflitec"
)

// peer is the runtime to compare with, nil for other names.
func peer(name string) (r infer.Runtime, delegate string) {
	if name != tflitec.XNNPACK {
		return nil, ""
	}
	return tflitec.New(), tflitec.XNNPACK
}
