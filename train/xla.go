//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && arm64))

package train

import (
	"io"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"k8s.io/klog/v2"

	"mnet-edge/internal/allocator"
)

const hasXLA = true

// openXLA loads the PJRT plugin at path and starts it with the plugin's own options. The library's habit of fetching plugins from the network by itself is off:
// what runs is what was found. So is its habit of logging: what it has to say is in the error. The memory of its steps is kept from one to the next.
func openXLA(path string, options map[string]any) (be compute.Backend, err error) {
	allocator.Use()
	xla.EnableAutoInstall(false)
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	defer recovered(&err)
	return xla.NewWithOptions(path, options)
}
