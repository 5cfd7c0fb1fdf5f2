package interp

import "math"

// Extremes are the smallest and the largest of the values that a tap sees, or values that are not finite where there is
// one; 0 is never -0. Of no values they are +Inf and -Inf.
func Extremes(values []float32) (lo, hi float32) {
	if len(values) == 0 {
		return float32(math.Inf(1)), float32(math.Inf(-1))
	}
	least, most := int32(math.MaxInt32), int32(math.MinInt32)
	whole := 0
	if hasWider {
		if whole = len(values) &^ 15; whole > 0 {
			var ends [2][16]int32
			extremesWide(&ends, &values[0], whole)
			for i := range 16 {
				least, most = min(least, ends[0][i]), max(most, ends[1][i])
			}
		}
	}
	for _, x := range values[whole:] {
		k := order(int32(math.Float32bits(x)))
		least, most = min(least, k), max(most, k)
	}
	if lo = math.Float32frombits(uint32(order(least))); lo == 0 {
		lo = 0 // not -0
	}
	if hi = math.Float32frombits(uint32(order(most))); hi == 0 {
		hi = 0
	}
	return lo, hi
}

// order makes of the bits of a float32 an integer in the order of the numbers: those of a negative one are inverted below
// the sign. It is its own inverse. A NaN is beyond the infinity of its sign.
func order(b int32) int32 { return b ^ int32(uint32(b>>31)>>1) }
