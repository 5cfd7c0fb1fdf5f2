//go:build !(tflite && cgo)

package soak

func tfliteEngines() []engine { return nil }
