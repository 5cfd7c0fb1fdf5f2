package infer_test

import (
	"testing"

	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
	"mnet-edge/quant"
)

func TestReference(t *testing.T) {
	infertest.Run(t, infer.NewReference(quant.Double), infer.ReferenceName, infertest.Exceptions{})
}
