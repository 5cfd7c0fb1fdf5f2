//go:build !amd64

package interp

const hasWide = false

func dotFloatWide(*[block * lanes]float32, *float32, int, *float32, int) {}
func dotIntWide(*[block * lanes]int32, *int16, int, *int16, int)         {}
