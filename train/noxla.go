//go:build !(cgo && ((linux && (amd64 || arm64)) || (darwin && arm64)))

package train

import "github.com/gomlx/compute"

const hasXLA = false

func openXLA(string, map[string]any) (compute.Backend, error) { return nil, errNoXLA }
