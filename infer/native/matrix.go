//go:build amd64 || arm64

package native

// Convolutions as matrix products: what the rows and the columns are.

// tapConv has the channels of a pixel for a tap: those that the output channels of a panel see, which are
// all of them but for a grouped or depthwise convolution. Channels that only some of a panel's see meet weights 0.
func (c *compiler) tapConv(f *conv) work {
	c.pad(f, roundUp(f.c, chunk))
	return c.gemm(f, f.x, f.taps(),
		func(o, n int) (from, k int) {
			from = f.group(o) / chunk * chunk
			return from, roundUp(f.group(min(o+n, f.oc)-1)+f.depth-from, 4)
		},
		func(m, tap int) int32 { return f.locate(f.input(m, tap/f.kw, tap%f.kw)) },
		func(o, tap int) (from int, w []int8) {
			at := (o*f.taps() + tap) * f.depth
			if f.depthwise {
				at = tap*f.oc + o
			}
			return f.group(o), f.weights[at:][:f.depth]
		})
}

// rowConv is for few channels: a tap is a whole row of the filter, its pixels being neighbours in memory. To have them
// so at the border too, x is copied into the middle of an image of zero points first.
func (c *compiler) rowConv(f *conv) work {
	reach := (f.kh-1)*f.dilation[0] + 1
	h, w := (f.oh-1)*f.stride[0]+reach, (f.ow-1)*f.stride[1]+f.kw
	pixel := f.c // bytes
	if f.x.stride <= roundUp(f.c, 4) {
		pixel = f.x.stride
	}
	row, k := f.kw*pixel, roundUp(f.kw*pixel, 4)
	image := c.scratch(f.n*h*w*pixel + roundUp(row, chunk) - row)
	c.late = append(c.late, func() {
		for i := range image.data {
			image.data[i] = f.inputZero
		}
	})
	top, left := f.before[0], f.before[1]
	high, wide := min(f.h, h-top), min(f.w, w-left)
	if wide < 1 { // the windows see padding only
		high = 0
	}
	fill := func() {
		for n := range f.n {
			for y := range high {
				to := image.data[((n*h+top+y)*w+left)*pixel:]
				from := f.x.data[(n*f.h+y)*f.w*f.x.stride:]
				if f.x.stride == pixel {
					copy(to[:wide*pixel], from)
					continue
				}
				for x := range wide {
					copy(to[x*pixel:][:pixel], from[x*f.x.stride:])
				}
			}
		}
	}
	multiply := c.gemm(f, image, f.kh, func(int, int) (from, all int) { return 0, k },
		func(m, ky int) int32 {
			n, y, x := m/(f.oh*f.ow), m/f.ow%f.oh, m%f.ow
			return int32(image.offset + ((n*h+y*f.stride[0]+ky*f.dilation[0])*w+x*f.stride[1])*pixel)
		},
		func(o, ky int) (from int, w []int8) {
			w = f.weights[(o*f.kh+ky)*f.kw*f.c:][:f.kw*f.c]
			if pixel == f.c {
				return 0, w
			}
			spread := make([]int8, row)
			for i, v := range w {
				spread[i/f.c*pixel+i%f.c] = v
			}
			return 0, spread
		})
	if multiply == nil {
		return nil
	}
	return append(alone(fill), multiply...)
}

// rowBlocks are n blocks of rows (output pixels) from row first, and where the inputs of their taps are: [n][taps][rows].
type rowBlocks struct {
	first, n int
	table    []int32
}

// rowBlocks cuts the rows of each range of the result's into blocks. Rows left over by the last whole block are computed by
// one that ends with them, some for a second time.
func (f *conv) rowBlocks(rows, taps int, at func(m, tap int) int32) (all [][]rowBlocks) {
	block := func(first, n int) rowBlocks {
		table := make([]int32, 0, n*taps*rows)
		for block := range n {
			for tap := range taps {
				for r := range rows {
					table = append(table, at(first+block*rows+r, tap))
				}
			}
		}
		return rowBlocks{first, n, table}
	}
	for _, m := range spans(f.out.cut.pixels) {
		whole := (m.last - m.first) / rows
		blocks := []rowBlocks{block(m.first, whole)}
		if m.first+whole*rows < m.last {
			blocks = append(blocks, block(m.last-rows, 1))
		}
		all = append(all, blocks)
	}
	return all
}
