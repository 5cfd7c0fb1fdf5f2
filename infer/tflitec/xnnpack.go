//go:build tflite && cgo

package tflitec

// #include <stdlib.h>
// #include <tensorflow/lite/delegates/xnnpack/xnnpack_delegate.h>
import "C"

import (
	"unsafe"

	"github.com/tphakala/go-tflite/delegates"
)

// xnnpack is XNNPACK's delegate with a weights cache, which go-tflite's has no option for.
type xnnpack struct {
	d     *C.TfLiteDelegate
	cache *C.char
}

// newXNNPACK returns nil where the library cannot create the delegate. cache is the file in which packed weights are kept,
// or "". One that is of another build of XNNPACK, or was not finished, is written anew.
func newXNNPACK(threads int, cache string) delegates.Delegater {
	var x xnnpack
	opts := C.TfLiteXNNPackDelegateOptionsDefault()
	opts.num_threads = C.int32_t(threads)
	if cache != "" {
		x.cache = C.CString(cache)
		opts.weight_cache_file_path = x.cache
	}
	if x.d = C.TfLiteXNNPackDelegateCreate(&opts); x.d == nil {
		C.free(unsafe.Pointer(x.cache))
		return nil
	}
	return &x
}

func (x *xnnpack) Ptr() unsafe.Pointer { return unsafe.Pointer(x.d) }

func (x *xnnpack) Delete() {
	C.TfLiteXNNPackDelegateDelete(x.d)
	C.free(unsafe.Pointer(x.cache))
}
