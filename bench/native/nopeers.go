//go:build !(tflite && cgo)

package main

// tfliteRunners: none in this binary.
func tfliteRunners(int) []runner { return nil }
