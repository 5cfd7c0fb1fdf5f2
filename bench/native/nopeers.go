//go:build !(tflite && cgo)

package main

// peers: none in this binary.
func peers() []runner { return nil }
