//go:build tflite && cgo

package soak

import "mnet-edge/infer/tflitec"

func tfliteEngines() []engine {
	r := tflitec.New()
	return []engine{{r, tflitec.None}, {r, tflitec.XNNPACK}}
}
