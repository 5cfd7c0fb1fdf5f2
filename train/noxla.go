//go:build !(cgo && ((linux && (amd64 || arm64)) || (darwin && arm64)))

package train

import (
	"errors"

	"github.com/gomlx/compute"
)

func openXLA(string, map[string]any) (compute.Backend, error) {
	return nil, errors.New("this program was built without cgo, which XLA needs")
}

func giveBack() {}
