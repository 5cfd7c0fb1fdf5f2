// Package delegates compares TFLite's built-in kernels with XNNPACK on one network, in alternation:
//
//	make native
//	go test -tags tflite -bench . ./bench/delegates    (with the Makefile's CGO_CFLAGS, CGO_LDFLAGS and -ldflags)
package delegates
