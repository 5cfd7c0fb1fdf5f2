//go:build amd64 || arm64

package native

import "math"

// The calls of kernels that make each byte of those at the same place, or average pixels. The kernels of an architecture
// have arguments of their own: newMeanArgs, newAddArgs and newMulArgs fill in what does not depend on where buffers lie.

// meanCalls returns the mean over each count pixels in a row, or nil, by a kernel of so many channels at a time.
func (c *compiler) meanCalls(kernel func(*meanArgs), width int, m *mean, count int, x, out *buffer) func() {
	most := float64(count)*flip*math.Abs(float64(m.factor)) + math.Abs(float64(m.bias))
	if !m.float || x.stride%16 != 0 || !(most < 1<<29) {
		return nil
	}
	var calls []call[meanArgs]
	c.late = append(c.late, func() {
		for p := range out.pixels {
			args := newMeanArgs(m, count)
			args.x, args.out = &x.data[p*count*x.stride], &out.data[p*out.stride]
			args.pixels, args.step, args.blocks = count, x.stride, (x.channels+width-1)/width
			calls = append(calls, call[meanArgs]{kernel, &args})
		}
	})
	return share(c, &calls)
}

// addCalls returns the sum of two tensors laid out alike.
func (c *compiler) addCalls(kernel func(*addArgs), f *adder, a, b, out *buffer) func() {
	return blocks(c, out, func(first, n int) call[addArgs] {
		args := newAddArgs(f)
		args.a, args.b, args.out, args.blocks = &a.data[first], &b.data[first], &out.data[first], n/elementStep
		return call[addArgs]{kernel, &args}
	})
}

// mulCalls returns the product of two tensors laid out alike, or nil.
func (c *compiler) mulCalls(kernel func(*mulArgs), f *multiplier, a, b, out *buffer) func() {
	if !f.float {
		return nil
	}
	return blocks(c, out, func(first, n int) call[mulArgs] {
		args := newMulArgs(f)
		args.a, args.b, args.out, args.blocks = &a.data[first], &b.data[first], &out.data[first], n/elementStep
		return call[mulArgs]{kernel, &args}
	})
}

// lookupArgs are those of the kernels of functions of one byte.
type lookupArgs struct {
	x      *byte
	table  *[256]byte
	out    *byte
	blocks int
}

// lookupCalls returns what replaces each byte of x by the table's, or nil.
func (c *compiler) lookupCalls(kernel func(*lookupArgs), table *[256]byte, x, out *buffer) func() {
	if x.size != out.size {
		return nil
	}
	return blocks(c, out, func(first, n int) call[lookupArgs] {
		return call[lookupArgs]{kernel, &lookupArgs{
			x: &x.data[first], table: table, out: &out.data[first], blocks: n / elementStep,
		}}
	})
}
