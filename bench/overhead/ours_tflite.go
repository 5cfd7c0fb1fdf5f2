//go:build tflite && cgo

package main

import (
	"mnet-edge/infer"
	"mnet-edge/infer/tflitec"
)

func ours() []infer.Runtime { return []infer.Runtime{tflitec.New()} }
