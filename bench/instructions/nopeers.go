//go:build !(tflite && cgo)

package main

import "mnet-edge/infer"

// peer is none in this binary.
func peer(string) (r infer.Runtime, delegate string) { return nil, "" }
