//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && arm64))

package train

// #cgo LDFLAGS: -ldl
// #define _GNU_SOURCE
// #include <dlfcn.h>
// #include <stddef.h>
//
// static void give_back(void) {
//	int (*trim)(size_t) = (int (*)(size_t))dlsym(RTLD_DEFAULT, "malloc_trim");
//	if (trim) trim(0);
// }
import "C"

import (
	"io"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"k8s.io/klog/v2"
)

const hasXLA = true

// openXLA loads the PJRT plugin at path and starts it with the plugin's own options. The library's habit of fetching plugins from the network by itself is off:
// what runs is what was found. So is its habit of logging: what it has to say is in the error.
func openXLA(path string, options map[string]any) (be compute.Backend, err error) {
	xla.EnableAutoInstall(false)
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	defer recovered(&err)
	return xla.NewWithOptions(path, options)
}

// giveBack gives the pages of freed memory back to the system, where the C library can: glibc.
func giveBack() { C.give_back() }
