//go:build !(tflite && cgo)

package main

// tflite: none in this binary.
func tflite(int) []runner { return nil }
