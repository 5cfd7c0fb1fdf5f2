package native

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"mnet-edge/infer"
)

// Family names a set of kernels. All compute the same bits.
type Family string

const (
	// Portable is plain Go.
	Portable Family = "portable"
	// AVX512VNNI needs an amd64 processor with AVX-512 F, BW, DQ, VL and VNNI.
	AVX512VNNI Family = "avx512vnni"
	// AVXVNNI needs an amd64 processor with AVX2 and AVX-VNNI.
	AVXVNNI Family = "avxvnni"
	// AVX2 needs an amd64 processor with AVX2.
	AVX2 Family = "avx2"
	// Dotprod needs an arm64 processor with the dot product, as a Raspberry Pi 5 has.
	Dotprod Family = "dotprod"
	// Neon runs on every arm64 processor.
	Neon Family = "neon"
)

// EnvFamily is the environment variable that names the family to use where Options does not.
const EnvFamily = "MNET_NATIVE"

// Families are those this processor can run, the fastest first.
func Families() []Family {
	var can []Family
	for _, k := range assembler {
		if k.runs {
			can = append(can, k.family)
		}
	}
	return append(can, Portable)
}

// kernels are f's; Portable has none.
func (f Family) kernels() *kernels {
	for _, k := range assembler {
		if k.family == f {
			return k
		}
	}
	return &kernels{family: Portable}
}

// choose is the family asked for, by the environment if not by name, or the fastest.
func choose(asked Family) (Family, error) {
	can, by := Families(), ""
	if asked == "" {
		asked, by = Family(os.Getenv(EnvFamily)), EnvFamily+"="
	}
	if asked == "" {
		return can[0], nil
	}
	if !slices.Contains(can, asked) {
		names := make([]string, len(can))
		for i, f := range can {
			names[i] = string(f)
		}
		return "", fmt.Errorf("kernel family %s%s: %w: this processor runs %s",
			by, asked, infer.ErrUnavailable, strings.Join(names, ", "))
	}
	return asked, nil
}
