//go:build tflite && cgo

package tflitec

// sharedlib.Find says where the library is looked for; the loader is given its path, since by its name alone it would look in LD_LIBRARY_PATH
// first, where a relative folder is the working one's. go-tflite's packages ask the linker for the library; on
// Linux load_linux.c has every function that they call, so that the linker need not make the program depend on it.

// #cgo linux LDFLAGS: -ldl -Wl,--as-needed
// #include <stdlib.h>
// #include "load.h"
import "C"

import (
	"errors"
	"sync"
	"unsafe"

	"mnet-edge/sharedlib"
)

const libraryFile = "libtensorflowlite_c.so"

// load loads the library once a process; it is never unloaded. The error says why it is not there.
var load = sync.OnceValue(func() error {
	path, err := sharedlib.Find(libraryFile)
	if err == nil {
		err = sharedlib.Check(path, "TfLiteInterpreterInvoke")
	}
	if err != nil {
		return err
	}
	return loadFrom(path)
})

func loadFrom(path string) error {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	var text [512]C.char
	if C.mnet_load(p, &text[0], C.size_t(len(text))) == 0 {
		return errors.New(C.GoString(&text[0]))
	}
	return nil
}
