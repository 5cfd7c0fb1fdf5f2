package native

import (
	"math"

	"github.com/klauspost/cpuid/v2"
)

// meanArgs are those of mean16: 16 channels at a time, averaged over pixels.
type meanArgs struct {
	x            *byte
	out          *byte
	pixels       int
	step         int // bytes from pixel to pixel
	blocks       int
	factor, bias float32 // see mean
	first        int32   // what a sum begins with
	offset       int32   // what is added in the end
}

// addArgs are those of add64: 64 elements at a time.
type addArgs struct {
	a, b, out   *byte
	blocks      int
	high, low   [2]int16 // of a and b: a factor is high*2^15 + low
	bias, shift int32
	_           [16]byte
	clamp
}

// mulArgs are those of mul64.
type mulArgs struct {
	a, b, out *byte
	blocks    int
	factor    float32
	zeros     [2]int16 // of a and b, + 128
	_         [24]byte
	clamp
}

// lookupArgs are those of lookup64.
type lookupArgs struct {
	x      *byte
	table  *[256]byte
	out    *byte
	blocks int
}

//go:noescape
func mean16(a *meanArgs)

//go:noescape
func add64(a *addArgs)

//go:noescape
func mul64(a *mulArgs)

//go:noescape
func lookup64(a *lookupArgs)

func (c *compiler) vnniMean(m *mean, count int, x, out *buffer) func() {
	return c.meanCalls(mean16, 16, m, count, x, out)
}

// meanCalls returns the mean over each count pixels in a row, or nil, by a kernel of so many channels.
func (c *compiler) meanCalls(kernel func(*meanArgs), width int, m *mean, count int, x, out *buffer) func() {
	most := float64(count)*flip*math.Abs(float64(m.factor)) + math.Abs(float64(m.bias))
	if !m.float || x.stride%16 != 0 || !(most < 1<<29) {
		return nil
	}
	var calls []call[meanArgs]
	c.late = append(c.late, func() {
		for p := range out.pixels {
			calls = append(calls, call[meanArgs]{kernel, &meanArgs{
				x: &x.data[p*count*x.stride], out: &out.data[p*out.stride],
				pixels: count, step: x.stride, blocks: (x.channels + width - 1) / width,
				factor: m.factor, bias: m.bias, first: int32(-flip * count), offset: flip,
			}})
		}
	})
	return share(c, &calls)
}

func (c *compiler) vnniAdd(f *adder, a, b, out *buffer) func() {
	return c.addCalls(add64, f, a, b, out)
}

// addCalls returns the sum of two tensors laid out alike.
func (c *compiler) addCalls(kernel func(*addArgs), f *adder, a, b, out *buffer) func() {
	return blocks(c, out, func(first, n int) call[addArgs] {
		const low = 1<<15 - 1
		return call[addArgs]{kernel, &addArgs{
			a: &a.data[first], b: &b.data[first], out: &out.data[first], blocks: n,
			high: [2]int16{int16(f.fa >> 15), int16(f.fb >> 15)}, low: [2]int16{int16(f.fa & low), int16(f.fb & low)},
			bias: f.bias, shift: f.shift, clamp: newClamp(f.zero, f.limit.Min, f.limit.Max),
		}}
	})
}

func (c *compiler) vnniMul(f *multiplier, a, b, out *buffer) func() {
	return c.mulCalls(mul64, f, a, b, out)
}

// mulCalls returns the product of two tensors laid out alike, or nil.
func (c *compiler) mulCalls(kernel func(*mulArgs), f *multiplier, a, b, out *buffer) func() {
	if !f.float {
		return nil
	}
	return blocks(c, out, func(first, n int) call[mulArgs] {
		return call[mulArgs]{kernel, &mulArgs{
			a: &a.data[first], b: &b.data[first], out: &out.data[first], blocks: n,
			factor: f.requant.Ratio(), zeros: [2]int16{int16(f.za) + flip, int16(f.zb) + flip},
			clamp: newClamp(f.zero, f.limit.Min+f.zero, f.limit.Max+f.zero),
		}}
	})
}

// vnniLookup returns what replaces each byte of x by the table's, or nil.
func (c *compiler) vnniLookup(table *[256]byte, x, out *buffer) func() {
	if x.size != out.size || !cpuid.CPU.Supports(cpuid.AVX512VBMI) {
		return nil
	}
	return blocks(c, out, func(first, n int) call[lookupArgs] {
		return call[lookupArgs]{lookup64, &lookupArgs{x: &x.data[first], table: table, out: &out.data[first], blocks: n}}
	})
}
