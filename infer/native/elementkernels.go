//go:build amd64 || arm64

package native

import "math"

// The calls of kernels that make each byte of those at the same place, or average pixels. The kernels of an architecture
// have arguments of their own: newMeanArgs, newAddArgs and newMulArgs fill in what does not depend on where buffers lie.

// fastMean returns the mean over each count pixels in a row.
func (c *compiler) fastMean(m *mean, count int, x, out *buffer) work {
	most := float64(count)*flip*math.Abs(float64(m.factor)) + math.Abs(float64(m.bias))
	kernel, width := c.kernels.mean, c.kernels.meanChannels
	if kernel == nil || !m.float || x.stride%16 != 0 || !(most < 1<<29) {
		return nil
	}
	out.cut = whole(out.pixels, out.channels)
	out.cut.channels = c.channels(out.channels)
	calls := newCalls[meanArgs](c)
	c.late = append(c.late, func() {
		for thread, channels := range spans(out.cut.channels) {
			for p := range out.pixels {
				args := newMeanArgs(m, count)
				args.x, args.out = &x.data[p*count*x.stride+channels.first], &out.data[p*out.stride+channels.first]
				args.pixels, args.step, args.blocks = count, x.stride, (channels.last-channels.first+width-1)/width
				calls.add(thread, kernel, args)
			}
		}
	})
	return share(calls, out, access{x, cut{[]int{0, x.pixels}, out.cut.channels}})
}

// fastAdd returns the sum of two tensors laid out alike.
func (c *compiler) fastAdd(f *adder, a, b, out *buffer) work {
	return blocks(c, c.kernels.add, out, []*buffer{a, b}, func(first, n int) addArgs {
		args := newAddArgs(f)
		args.a, args.b, args.out, args.blocks = &a.data[first], &b.data[first], &out.data[first], n/elementStep
		return args
	})
}

// fastMul returns the product of two tensors laid out alike.
func (c *compiler) fastMul(f *multiplier, a, b, out *buffer) work {
	if !f.float {
		return nil
	}
	return blocks(c, c.kernels.mul, out, []*buffer{a, b}, func(first, n int) mulArgs {
		args := newMulArgs(f)
		args.a, args.b, args.out, args.blocks = &a.data[first], &b.data[first], &out.data[first], n/elementStep
		return args
	})
}

// lookupArgs are those of the kernels of functions of one byte.
type lookupArgs struct {
	x      *byte
	table  *[256]byte
	out    *byte
	blocks int
}

// fastLookup returns what replaces each byte of x by the table's.
func (c *compiler) fastLookup(table *[256]byte, x, out *buffer) work {
	if x.pixels != out.pixels || x.stride != out.stride {
		return nil
	}
	return blocks(c, c.kernels.lookup, out, []*buffer{x}, func(first, n int) lookupArgs {
		return lookupArgs{x: &x.data[first], table: table, out: &out.data[first], blocks: n / elementStep}
	})
}
