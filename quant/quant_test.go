package quant

import (
	"flag"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// The draws of rapid are the same in every run; -rapid.seed=0 draws others, as make soak does.
func init() { flag.Set("rapid.seed", "1") }

// Vectors computed from the published formulas, independently of this package: multiplier, then x -> one result for
// each Rounding in order Double, DoubleUp, Single, Float32.
var vectors = []struct {
	d    float64 // 0: the multiplier is given
	m    Multiplier
	x    int32
	want [4]int32
}{
	{0.5, Multiplier{1073741824, 0}, 1, [4]int32{1, 1, 1, 0}},
	{0.5, Multiplier{1073741824, 0}, -1, [4]int32{0, 0, 0, 0}},
	{0.5, Multiplier{1073741824, 0}, 3, [4]int32{2, 2, 2, 2}},
	{0.5, Multiplier{1073741824, 0}, -3, [4]int32{-1, -1, -1, -2}},
	{0.5, Multiplier{1073741824, 0}, 5, [4]int32{3, 3, 3, 2}},
	{0.5, Multiplier{1073741824, 0}, -5, [4]int32{-2, -2, -2, -2}},
	{0.25, Multiplier{1073741824, -1}, 2, [4]int32{1, 1, 1, 0}},
	{0.25, Multiplier{1073741824, -1}, -2, [4]int32{-1, 0, 0, 0}},
	{0.25, Multiplier{1073741824, -1}, 6, [4]int32{2, 2, 2, 2}},
	{0.25, Multiplier{1073741824, -1}, -6, [4]int32{-2, -1, -1, -2}},
	{0.25, Multiplier{1073741824, -1}, 10, [4]int32{3, 3, 3, 2}},
	{0.25, Multiplier{1073741824, -1}, -10, [4]int32{-3, -2, -2, -2}},
	{0.0003, Multiplier{1319413953, -11}, 5000, [4]int32{2, 2, 1, 2}},
	{0.0003, Multiplier{1319413953, -11}, -5000, [4]int32{-2, -1, -1, -2}},
	{0.0003, Multiplier{1319413953, -11}, 123456, [4]int32{37, 37, 37, 37}},
	{0.0003, Multiplier{1319413953, -11}, -123456, [4]int32{-37, -37, -37, -37}},
	{1.5, Multiplier{1610612736, 1}, 1, [4]int32{2, 2, 2, 2}},
	{1.5, Multiplier{1610612736, 1}, -1, [4]int32{-1, -1, -1, -2}},
	{1.5, Multiplier{1610612736, 1}, 3, [4]int32{5, 5, 5, 4}},
	{1.5, Multiplier{1610612736, 1}, -3, [4]int32{-4, -4, -4, -4}},
	{0.1, Multiplier{1717986918, -3}, 5, [4]int32{1, 1, 0, 0}},
	{0.1, Multiplier{1717986918, -3}, -5, [4]int32{-1, 0, 0, 0}},
	{0.1, Multiplier{1717986918, -3}, 15, [4]int32{2, 2, 1, 2}},
	{0.1, Multiplier{1717986918, -3}, -15, [4]int32{-2, -1, -1, -2}},
	{0.00390625, Multiplier{1073741824, -7}, 128, [4]int32{1, 1, 1, 0}},
	{0.00390625, Multiplier{1073741824, -7}, -128, [4]int32{-1, 0, 0, 0}},
	{0.00390625, Multiplier{1073741824, -7}, 384, [4]int32{2, 2, 2, 2}},
	{0.00390625, Multiplier{1073741824, -7}, -384, [4]int32{-2, -1, -1, -2}},
	{0, Multiplier{1885909193, -8}, 28713, [4]int32{99, 99, 98, 98}},
	{0, Multiplier{1540597421, -7}, -6869, [4]int32{-39, -38, -38, -38}},
	{0, Multiplier{1360267367, -6}, -2576, [4]int32{-26, -25, -25, -25}},
	{0, Multiplier{1907148956, -7}, -10305, [4]int32{-72, -71, -71, -71}},
	{0, Multiplier{1397385937, -7}, 3245, [4]int32{17, 17, 16, 16}},
	{0, Multiplier{1856137360, -8}, -6664, [4]int32{-23, -22, -22, -22}},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		if v.d != 0 {
			if m := NewMultiplier(v.d); m != v.m {
				t.Errorf("NewMultiplier(%v) = %v, want %v", v.d, m, v.m)
			}
		}
		for r, want := range v.want {
			if got := Rounding(r).Apply(v.x, v.m); got != want {
				t.Errorf("%v: %d * %v = %d, want %d", Rounding(r), v.x, v.m, got, want)
			}
		}
	}
}

// All four roundings stay within 1 of the exact product (and so within 2 of each other), for every multiplier a
// convolution can have.
func TestRoundingsNearExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewMultiplier(math.Exp(rapid.Float64Range(-20, 0).Draw(t, "log d")))
		x := rapid.Int32Range(-1<<24, 1<<24).Draw(t, "x")
		exact := float64(x) * m.Real()
		for r := Double; r <= Float32; r++ {
			// Float32 also carries the relative error of three roundings to 24 bits.
			tol := 1.0
			if r == Float32 {
				tol += math.Abs(exact) * 3 / (1 << 24)
			}
			if got := r.Apply(x, m); math.Abs(float64(got)-exact) > tol {
				t.Fatalf("%v: %d * %v = %d, exactly %v", r, x, m, got, exact)
			}
		}
	})
}

func TestMultiplierEdges(t *testing.T) {
	for _, c := range []struct {
		d    float64
		want Multiplier
	}{
		{0, Multiplier{}},
		{math.Ldexp(1, -33), Multiplier{}},
		{math.Ldexp(1, -32), Multiplier{1 << 30, -31}},
		{1, Multiplier{1 << 30, 1}},
		{math.Nextafter(1, 0), Multiplier{1 << 30, 1}}, // the mantissa rounds up to 2^31
	} {
		if got := NewMultiplier(c.d); got != c.want {
			t.Errorf("NewMultiplier(%v) = %v, want %v", c.d, got, c.want)
		}
	}
	if got := MulQ31(math.MinInt32, math.MinInt32); got != math.MaxInt32 {
		t.Errorf("min * min = %d", got)
	}
}

// The 64-bit product against its definition in exact arithmetic: 15 bits of the mantissa, half up.
func TestApply64(t *testing.T) {
	for _, c := range []struct {
		d    float64
		x    int64
		want int32
	}{
		{0.5, 1, 1}, {0.5, -1, 0}, {0.5, 3, 2}, {0.5, -3, -1},
		{0.25, 2, 1}, {0.25, -2, 0}, {0.25, 6, 2}, {0.25, -6, -1},
		{0.99999999, 32768, 32767},       // the mantissa is cut to 0x7fff, not rounded up to 1
		{1. / 3, 300000, 99998},          // 21845/65536 in place of 1/3
		{1e-9, 1 << 40, 1100},            // 1e-9 * 2^40 = 1099.5
		{100, 1 << 30, math.MaxInt32},    // saturated
		{100, -(1 << 30), math.MinInt32}, //
		{40000, 7, 280000},               // a shift to the left
		{0, 1 << 40, 0},
	} {
		if got := NewMultiplier(c.d).Apply64(c.x); got != c.want {
			t.Errorf("%d * %v: %d, want %d", c.x, c.d, got, c.want)
		}
	}
}

func TestAsymmetric(t *testing.T) {
	for _, c := range []struct {
		lo, hi float32
		scale  float32
		zero   int32
	}{
		{0, 1, 1.0 / 255, -128},
		{-1, 1, 2.0 / 255, -1}, // -128 + 127.5 = -0.5 rounds away from zero
		{0.25, 2.55, 0.01, -128},
		{-2.55, -1, 0.01, 127},
		{0, 0, 1, -128},
		{0, 1e-44, 1, -128}, // a subnormal scale is no scale
	} {
		if s, z := Asymmetric(c.lo, c.hi, Int8Min, Int8Max); s != c.scale || z != c.zero {
			t.Errorf("Asymmetric(%v, %v) = %v, %d, want %v, %d", c.lo, c.hi, s, z, c.scale, c.zero)
		}
	}
}

// Zero is exact, and every real inside the interval is within half a step of its quantized value.
func TestQuantizeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.Float32Range(-1000, 0).Draw(t, "lo")
		hi := rapid.Float32Range(0.001, 1000).Draw(t, "hi")
		s, z := Asymmetric(lo, hi, Int8Min, Int8Max)
		if got := Dequantize(Quantize(0, s, z, Int8Min, Int8Max), s, z); got != 0 {
			t.Fatalf("0 becomes %v", got)
		}
		x := lo + (hi-lo)*rapid.Float32Range(0, 1).Draw(t, "x")
		got := Dequantize(Quantize(x, s, z, Int8Min, Int8Max), s, z)
		// Moving zero onto an integer shifts the interval by up to half a step, so its ends may be off by a whole one.
		if math.Abs(float64(got-x)) > float64(s)*1.001 {
			t.Fatalf("%v in [%v, %v] becomes %v, scale %v", x, lo, hi, got, s)
		}
	})
	if got := Quantize(float32(math.NaN()), 1, 7, Int8Min, Int8Max); got != 7 {
		t.Errorf("NaN quantizes to %d", got)
	}
}

func TestActivation16(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		lo, hi float64
		scale  float32
		want   Range
	}{
		{-inf, inf, 0.1, Full16},
		{0, inf, 0.1, Range{0, 32767}},
		{0, 6, 0.001, Range{0, 6000}},
		{0, 6, 4, Range{0, 2}}, // a tie, away from zero
		{0, 6, 1e-5, Range{0, 32767}},
	} {
		if got := Full16.Within(c.lo, c.hi, c.scale, 0); got != c.want {
			t.Errorf("[%v, %v] at %v: %v", c.lo, c.hi, c.scale, got)
		}
	}
}

func TestActivation(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		lo, hi float64
		scale  float32
		zero   int32
		want   Range
	}{
		{-inf, inf, 0.1, 3, Full},
		{0, inf, 0.1, -10, Range{-10, 127}},
		{0, inf, 0.1, -128, Full},
		{0, 6, 0.1, -20, Range{-20, 40}},
		{0, 6, 0.01, -128, Full},
	} {
		if got := Activation(c.lo, c.hi, c.scale, c.zero); got != c.want {
			t.Errorf("Activation(%v, %v, %v, %d) = %v, want %v", c.lo, c.hi, c.scale, c.zero, got, c.want)
		}
	}
}

func TestParamsCheck(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		p  *Params
		ok bool
	}{
		{PerTensor(0.5, -128), true},
		{PerTensor(0.5, 128), false},
		{PerTensor(0, 0), false},
		{PerTensor(-1, 0), false},
		{PerTensor(1e-40, 0), false},
		{PerTensor(inf, 0), false},
		{PerChannel([]float32{1, 2, 3}, 1), true},
		{PerChannel([]float32{1, 2, 3}, 0), false},
		{PerChannel([]float32{1, 2, 3}, 2), false},
		{&Params{Scale: []float32{1}}, false},
	} {
		if err := c.p.Check([]int{2, 3}, Int8Min, Int8Max); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.p, err)
		}
	}
}

// A ratio that is no number to scale by still gives the same on every machine.
func TestMultiplierOfInfinity(t *testing.T) {
	m := NewMultiplier(math.Inf(1))
	if m.M != 1<<30 || m.Shift != 1025 {
		t.Errorf("%+v", m)
	}
	for r := Double; r <= Float32; r++ {
		if got := r.Apply(0, m); got != 0 {
			t.Errorf("%v: 0 becomes %d", r, got)
		}
	}
}
