//go:build tflite && cgo

package soak

import (
	"mnet-edge/infer"
	"mnet-edge/infer/tflitec"
)

func tfliteEngines() []engine {
	r := tflitec.New()
	return []engine{{r, infer.NoDelegate}, {r, tflitec.XNNPACK}}
}
