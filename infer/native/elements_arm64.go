package native

import "math"

// meanArgs are those of mean16: 16 channels at a time, averaged over pixels.
type meanArgs struct {
	x            *byte
	out          *byte
	pixels       int
	step         int // bytes from pixel to pixel
	blocks       int
	factor, bias float32 // see mean
	first        int32   // what a sum begins with
	clamp
}

// addArgs are those of add16, mulArgs of mul16, lookupArgs of lookup16: 16 bytes at a time.
type addArgs struct {
	a, b, out   *byte
	blocks      int
	fa, fb      int32
	bias, shift int32 // to the left
	clamp
}

type mulArgs struct {
	a, b, out *byte
	blocks    int
	za, zb    [4]uint8 // the zero points of a and b, + 128, four times
	factor    float32
	clamp
}

type lookupArgs struct {
	x      *byte
	table  *[256]byte
	out    *byte
	blocks int
}

//go:noescape
func mean16(a *meanArgs)

//go:noescape
func add16(a *addArgs)

//go:noescape
func mul16(a *mulArgs)

//go:noescape
func lookup16(a *lookupArgs)

// armMean returns the mean over each count pixels in a row, or nil.
func (c *compiler) armMean(m *mean, count int, x, out *buffer) func() {
	most := float64(count)*flip*math.Abs(float64(m.factor)) + math.Abs(float64(m.bias))
	if !m.float || x.stride%16 != 0 || !(most < 1<<29) {
		return nil
	}
	var calls []call[meanArgs]
	c.late = append(c.late, func() {
		for p := range out.pixels {
			calls = append(calls, call[meanArgs]{mean16, &meanArgs{
				x: &x.data[p*count*x.stride], out: &out.data[p*out.stride],
				pixels: count, step: x.stride, blocks: (x.channels + 15) / 16,
				factor: m.factor, bias: m.bias, first: int32(-flip * count), clamp: newClamp(0, math.MinInt8, math.MaxInt8),
			}})
		}
	})
	return share(c, &calls)
}

// perBlock is how many blocks of a kernel's make one of those that blocks counts.
const perBlock = bufferStep / 16

// armAdd returns the sum of two tensors laid out alike.
func (c *compiler) armAdd(f *adder, a, b, out *buffer) func() {
	return blocks(c, out, func(first, n int) call[addArgs] {
		return call[addArgs]{add16, &addArgs{
			a: &a.data[first], b: &b.data[first], out: &out.data[first], blocks: n * perBlock,
			fa: f.fa, fb: f.fb, bias: f.bias, shift: -f.shift, clamp: newClamp(f.zero, f.limit.Min, f.limit.Max),
		}}
	})
}

// armMul returns the product of two tensors laid out alike, or nil.
func (c *compiler) armMul(f *multiplier, a, b, out *buffer) func() {
	if !f.float {
		return nil
	}
	za, zb := uint8(f.za+flip), uint8(f.zb+flip)
	return blocks(c, out, func(first, n int) call[mulArgs] {
		return call[mulArgs]{mul16, &mulArgs{
			a: &a.data[first], b: &b.data[first], out: &out.data[first], blocks: n * perBlock,
			za: [4]uint8{za, za, za, za}, zb: [4]uint8{zb, zb, zb, zb}, factor: f.requant.Ratio(),
			clamp: newClamp(f.zero, f.limit.Min+f.zero, f.limit.Max+f.zero),
		}}
	})
}

// armLookup returns what replaces each byte of x by the table's, or nil.
func (c *compiler) armLookup(table *[256]byte, x, out *buffer) func() {
	if x.size != out.size {
		return nil
	}
	return blocks(c, out, func(first, n int) call[lookupArgs] {
		return call[lookupArgs]{lookup16, &lookupArgs{
			x: &x.data[first], table: table, out: &out.data[first], blocks: n * perBlock,
		}}
	})
}
