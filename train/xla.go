//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && arm64))

package train

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
)

// openXLA loads the PJRT plugin at path. The library's habit of fetching plugins from the network by itself is off:
// what runs is what was found.
func openXLA(path string) (be compute.Backend, err error) {
	xla.EnableAutoInstall(false)
	defer recovered(&err)
	return xla.New(path)
}
