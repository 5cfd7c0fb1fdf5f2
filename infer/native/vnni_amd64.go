package native

import (
	"encoding/binary"
	"math"

	"github.com/klauspost/cpuid/v2"

	"mnet-edge/quant"
)

// The family avx512vnni: how weights are packed for its kernels, and which calls make up an operator. It rounds as
// XNNPACK does; in TFLite's arithmetic, and for windows that no kernel here has, the portable kernels stand in.

func hasVNNI() bool {
	return cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL, cpuid.AVX512VNNI)
}

// clamp is the output stage of an integer kernel, in units of the output's bytes.
type clamp struct {
	zero      uint16
	low, high uint8
}

func (f *conv) clamp() clamp {
	return clamp{
		zero: uint16(f.zero + flip),
		low:  uint8(f.limit.Min + f.zero + flip),
		high: uint8(f.limit.Max + f.zero + flip),
	}
}

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

// addArgs are those of add16: 16 elements at a time.
type addArgs struct {
	a, b, out         *byte
	blocks            int
	fa, fb, bias      int32
	shift             int32
	zero, least, most int32 // of the output, + 128
}

//go:noescape
func mean16(a *meanArgs)

//go:noescape
func add16(a *addArgs)

// call is a kernel with its arguments.
type call[A any] struct {
	kernel func(*A)
	args   *A
}

// share returns what makes the calls, which are known when the arena is, with the help of the pool if there is one.
func share[A any](c *compiler, calls *[]call[A]) func() {
	serial := func() {
		for _, k := range *calls {
			k.kernel(k.args)
		}
	}
	if c.pool == nil {
		return serial
	}
	j := &job{serial: serial, do: func(i int) {
		k := &(*calls)[i]
		k.kernel(k.args)
	}}
	c.late = append(c.late, func() { j.n = int32(len(*calls)) })
	c.jobs = append(c.jobs, j)
	pool := c.pool
	return func() {
		if j.alone {
			serial()
		} else {
			pool.run(j)
		}
	}
}

// split cuts n into pieces for the pool, that there may be two calls a goroutine where there are calls of a kind.
func (c *compiler) split(n, calls int) (size int) {
	if c.pool == nil {
		return n
	}
	want := 2 * (len(c.pool.helpers) + 1)
	pieces := (want + calls - 1) / calls
	return max((n+pieces-1)/pieces, 1)
}

// fastConv returns what computes f with assembler kernels, or nil.
func (c *compiler) fastConv(f *conv) func() {
	if c.family != AVX512VNNI || c.rounding != quant.Float32 || !f.unclamped() {
		return nil
	}
	switch {
	case f.depthwise:
		if f.kh == 3 && f.kw == 3 && f.oc == f.c && f.dilation == [2]int{1, 1} && f.stride[1] <= 2 && f.x.stride%pixelStep == 0 {
			return c.depthwise3x3(f)
		}
	case f.depth != f.c:
	case f.dilation[1] == 1 && (f.c < 16 && f.kw > 1 || f.x.stride < roundUp(f.c, 4)):
		return c.rowConv(f)
	case f.x.stride >= roundUp(f.c, 4):
		return c.tapConv(f)
	}
	return nil
}

// unclamped reports whether XNNPACK's arithmetic holds for every sum without the clamp that it puts before rounding to
// an integer: no sum times its scale comes near 2^31.
func (f *conv) unclamped() bool {
	for o, most := range f.most {
		if float64(most)*float64(f.requant[o].Ratio()) > 1<<30 {
			return false
		}
	}
	return true
}

// put writes channel o's bias and scale.
func (t *output) put(p []byte, biasAt, scaleAt, o int, bias int32) {
	binary.LittleEndian.PutUint32(p[biasAt:], uint32(bias))
	binary.LittleEndian.PutUint32(p[scaleAt:], math.Float32bits(t.requant[o].Ratio()))
}

// fastMean returns the mean over each count pixels in a row, or nil.
func (c *compiler) fastMean(m *mean, count int, x, out *buffer) func() {
	most := float64(count)*flip*math.Abs(float64(m.factor)) + math.Abs(float64(m.bias))
	if c.family != AVX512VNNI || !m.float || x.stride%pixelStep != 0 || !(most < 1<<29) {
		return nil
	}
	var calls []call[meanArgs]
	c.late = append(c.late, func() {
		for p := range out.pixels {
			calls = append(calls, call[meanArgs]{mean16, &meanArgs{
				x: &x.data[p*count*x.stride], out: &out.data[p*out.stride],
				pixels: count, step: x.stride, blocks: (x.channels + 15) / 16,
				factor: m.factor, bias: m.bias, first: int32(-flip * count), offset: flip,
			}})
		}
	})
	return share(c, &calls)
}

// fastAdd returns the sum of two tensors laid out alike, or nil.
func (c *compiler) fastAdd(f *adder, a, b, out *buffer) func() {
	if c.family != AVX512VNNI || out.stride%pixelStep != 0 {
		return nil
	}
	var calls []call[addArgs]
	c.late = append(c.late, func() {
		all := out.size / 16
		size := c.split(all, 1)
		for first := 0; first < all; first += size {
			calls = append(calls, call[addArgs]{add16, &addArgs{
				a: &a.data[16*first], b: &b.data[16*first], out: &out.data[16*first], blocks: min(size, all-first),
				fa: f.fa, fb: f.fb, bias: f.bias, shift: f.shift,
				zero: f.zero + flip, least: f.limit.Min + flip, most: f.limit.Max + flip,
			}})
		}
	})
	return share(c, &calls)
}
