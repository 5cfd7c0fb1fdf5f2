//go:build tflite && cgo

package tflitec

// #include <stdlib.h>
// #include "plugin.h"
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"github.com/tphakala/go-tflite/delegates"

	"mnet-edge/devices"
	"mnet-edge/sharedlib"
)

// Delegates out of libraries that are loaded when they are asked for. go-tflite's packages for them link with the library
// when a program is built, so that the program would not start without.
const (
	External = "external"   // external=LIB[;key:value]...: any library with an external delegate's entry points
	EdgeTPU  = "edgetpu"    // Coral's Edge TPU; takes models that its compiler made
	GPU      = "tflite-gpu" // TensorFlow Lite's own GPU delegate, over OpenCL
)

// entry is a kind of entry points, with the functions that a library of it has.
type entry struct {
	kind    C.int
	symbols []string
}

var (
	externalEntry = entry{C.mnet_plugin_external, []string{"tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate"}}
	gpuEntry      = entry{C.mnet_plugin_gpu, []string{"TfLiteGpuDelegateV2Create", "TfLiteGpuDelegateV2Delete"}}
)

// known are the delegates whose library has a name of its own.
var known = []struct {
	name, file string
	kind       devices.Kind
	entry      entry
}{
	{EdgeTPU, "libedgetpu.so.1", devices.TPU, externalEntry},
	{GPU, "libtensorflowlite_gpu_delegate.so", devices.GPU, gpuEntry},
}

// library is a delegate's library, and what to tell it.
type library struct {
	path         string
	entry        entry
	keys, values []string
}

// findLibrary tells which library a delegate wants, and that it is one. found is false for a delegate that is none of
// these.
func findLibrary(delegate string) (l library, found bool, err error) {
	if name, spec, _ := strings.Cut(delegate, "="); name == External {
		l, err = parseExternal(spec)
		found = true
	}
	for _, k := range known {
		if delegate == k.name {
			l.entry, found = k.entry, true
			l.path, err = sharedlib.FindInSystem(k.file)
		}
	}
	if found && err == nil {
		err = sharedlib.Check(l.path, l.entry.symbols...)
	}
	return l, found, err
}

// parseExternal reads LIB[;key:value]...
func parseExternal(spec string) (library, error) {
	parts := strings.Split(spec, ";")
	l := library{path: parts[0], entry: externalEntry}
	if l.path == "" {
		return l, errors.New("no library is named: want external=LIB")
	}
	if !strings.Contains(l.path, "/") {
		l.path = "./" + l.path // the loader would look for it elsewhere
	}
	for _, option := range parts[1:] {
		key, value, ok := strings.Cut(option, ":")
		if !ok || key == "" {
			return l, fmt.Errorf("option %q: want key:value", option)
		}
		l.keys, l.values = append(l.keys, key), append(l.values, value)
	}
	return l, nil
}

// libraryDevices are the delegates above. The libraries are looked at, not loaded.
func libraryDevices() []devices.Device {
	ds := []devices.Device{{Name: External, Kind: devices.Any, Available: true, Version: "external=LIB, any library with " + externalEntry.symbols[0]}}
	for _, k := range known {
		d := devices.Device{Name: k.name, Kind: k.kind}
		if l, _, err := findLibrary(k.name); err != nil {
			d.Reason = err.Error()
		} else {
			d.Available, d.Version = true, l.path
		}
		ds = append(ds, d)
	}
	return ds
}

var opening sync.Mutex // reports of errors have no owner, see plugin.h

// plugin is a delegates.Delegater out of a library.
type plugin struct{ p C.mnet_plugin }

func (l library) open() (delegates.Delegater, error) {
	opening.Lock()
	defer opening.Unlock()
	path := C.CString(l.path)
	defer C.free(unsafe.Pointer(path))
	n := len(l.keys)
	words := make([]*C.char, 2*n+1) // keys, then values; one more so that there is a first
	for i, s := range append(append([]string(nil), l.keys...), l.values...) {
		words[i] = C.CString(s)
		defer C.free(unsafe.Pointer(words[i]))
	}
	table := (**C.char)(C.malloc(C.size_t(len(words)) * C.size_t(unsafe.Sizeof(words[0]))))
	defer C.free(unsafe.Pointer(table))
	inC := unsafe.Slice(table, len(words))
	copy(inC, words)
	var p plugin
	var text [512]C.char
	if C.mnet_plugin_open(&p.p, l.entry.kind, path, &inC[0], &inC[n], C.size_t(n), &text[0], C.size_t(len(text))) == 0 {
		return nil, errors.New(C.GoString(&text[0]))
	}
	return &p, nil
}

func (p *plugin) Ptr() unsafe.Pointer { return unsafe.Pointer(p.p.delegate) }

func (p *plugin) Delete() { C.mnet_plugin_close(&p.p) }
