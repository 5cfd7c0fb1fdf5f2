//go:build !tflite || !cgo

package tflitec

import "testing"

func TestUntagged(t *testing.T) {
	t.Skip("TensorFlow Lite is not in this build: the tests need cgo, the tag tflite and the library of native/fetch.sh")
}
