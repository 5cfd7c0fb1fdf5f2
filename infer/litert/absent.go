//go:build !linux || !(amd64 || arm64)

package litert

import (
	"fmt"
	goruntime "runtime"

	"mnet-edge/graph"
	"mnet-edge/infer"
)

func open(string, []byte, *graph.Graph, infer.Options) (infer.Session, error) {
	return nil, fmt.Errorf("litert: %w: there is no library for %s/%s", infer.ErrUnavailable, goruntime.GOOS, goruntime.GOARCH)
}
