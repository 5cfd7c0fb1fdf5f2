//go:build !(cgo && ((linux && (amd64 || arm64)) || (darwin && arm64)))

package train

import "github.com/gomlx/compute"

func openXLA(string) (compute.Backend, error) { return nil, errNotBuilt }
