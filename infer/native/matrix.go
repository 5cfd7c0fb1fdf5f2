//go:build amd64 || arm64

package native

// Convolutions as matrix products: what the rows and the columns are.

// tapConv has the channels of a pixel for a tap: those that the output channels of a panel see, which are
// all of them but for a grouped or depthwise convolution. Channels that only some of a panel's see meet weights 0.
func (c *compiler) tapConv(f *conv) work {
	c.pad(f, roundUp(f.C, chunk))
	return c.gemm(f, f.x, f.taps(),
		func(o, n int) (from, k int) {
			from = f.Group(o) / chunk * chunk
			return from, roundUp(f.Group(min(o+n, f.OC)-1)+f.Depth-from, 4)
		},
		func(m, tap int) int32 { return f.locate(f.input(m, tap/f.KW, tap%f.KW)) },
		func(o, tap int) (from int, w []int8) {
			return f.Group(o), f.weights[f.Weight(o, tap):][:f.Depth]
		})
}

// rowConv is for few channels: a tap is a whole row of the filter, its pixels being neighbours in memory. To have them
// so at the border too, x is copied into the middle of an image of zero points first.
func (c *compiler) rowConv(f *conv) work {
	reach := (f.KH-1)*f.Dilation[0] + 1
	h, w := (f.OH-1)*f.Stride[0]+reach, (f.OW-1)*f.Stride[1]+f.KW
	pixel := f.C // bytes
	if f.x.stride <= roundUp(f.C, 4) {
		pixel = f.x.stride
	}
	row, k := f.KW*pixel, roundUp(f.KW*pixel, 4)
	image := c.scratch(f.N*h*w*pixel + roundUp(row, chunk) - row)
	c.late = append(c.late, func() {
		for i := range image.data {
			image.data[i] = f.inputZero
		}
	})
	top, left := f.Before[0], f.Before[1]
	high, wide := min(f.H, h-top), min(f.W, w-left)
	if wide < 1 { // the windows see padding only
		high = 0
	}
	fill := func() {
		for n := range f.N {
			for y := range high {
				to := image.data[((n*h+top+y)*w+left)*pixel:]
				from := f.x.data[(n*f.H+y)*f.W*f.x.stride:]
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
	multiply := c.gemm(f, image, f.KH, func(int, int) (from, all int) { return 0, k },
		func(m, ky int) int32 {
			n, y, x := m/(f.OH*f.OW), m/f.OW%f.OH, m%f.OW
			return int32(image.offset + ((n*h+y*f.Stride[0]+ky*f.Dilation[0])*w+x*f.Stride[1])*pixel)
		},
		func(o, ky int) (from int, w []int8) {
			w = f.weights[(o*f.KH+ky)*f.KW*f.C:][:f.KW*f.C]
			if pixel == f.C {
				return 0, w
			}
			spread := make([]int8, row)
			for i, v := range w {
				spread[i/f.C*pixel+i%f.C] = v
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
