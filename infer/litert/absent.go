//go:build !cgo || !linux || !(amd64 || arm64)

package litert

import (
	"errors"
	"fmt"
	goruntime "runtime"

	"mnet-edge/graph"
	"mnet-edge/infer"
)

// unable says why this binary cannot load a library. Without cgo it could, but every binary that can is one that needs the C
// library to start, and one built without cgo is meant to start anywhere.
func unable() error {
	if goruntime.GOOS != "linux" || goruntime.GOARCH != "amd64" && goruntime.GOARCH != "arm64" {
		return fmt.Errorf("there is no library for %s/%s", goruntime.GOOS, goruntime.GOARCH)
	}
	return errors.New("this binary was built without cgo, and loads no libraries")
}

func open(string, []byte, *graph.Graph, []int, infer.Options) (infer.Session, error) {
	return nil, fmt.Errorf("litert: %w: %w", infer.ErrUnavailable, unable())
}
