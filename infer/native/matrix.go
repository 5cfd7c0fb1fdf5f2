//go:build amd64 || arm64

package native

import "unsafe"

// Convolutions as matrix products: of what the taps of each output pixel see, by the weights of each output channel.

// operand is the input as a product reads it: taps, of each of which k elements lie side by side; what a kernel
// reads beyond them meets weights 0.
type operand struct {
	taps, k int
	element int                                   // bytes of one
	at      func(m, tap int) int32                // where in the arena those of output pixel m begin, known late
	weights func(o, tap int) (from int, w []int8) // what those from one on are multiplied by for output channel o; the rest, by 0
	buffer  *buffer                               // where they are
	fill    work                                  // puts them there; nil if they are
}

// pixelTaps has the pixels of x as taps. Channels that an output channel's group does not have meet weights 0.
func (c *compiler) pixelTaps(f *conv) *operand {
	c.pad(f, roundUp(f.C, chunk))
	return &operand{taps: f.taps(), k: f.C, element: 1, at: f.tap, weights: f.tapWeights(f.C, 1), buffer: f.x}
}

// tapWeights is operand.weights if a tap is so many neighbours of the filter, each of so many elements.
func (f *conv) tapWeights(pixel, neighbours int) func(o, tap int) (from int, w []int8) {
	return func(o, tap int) (from int, w []int8) {
		from, w = f.Group(o), f.weights[f.Weight(o, tap*neighbours):][:neighbours*f.Depth]
		if neighbours == 1 || pixel == f.Depth {
			return from, w
		}
		spread := make([]int8, neighbours*pixel)
		for i, v := range w {
			spread[i/f.Depth*pixel+i%f.Depth] = v
		}
		return from, spread
	}
}

// gemmKernel is a kernel for some rows (output pixels) by some output channels. Its panels are what describe writes, and then
// for each tap the weights [k/together][channels][together], where k is no multiple of that with fewer together in the end.
type gemmKernel struct {
	run            func(*gemmArgs)
	rows, channels int
	lanes          int // channels of a vector: see interleaved
	step           int // what k is a multiple of
	together       int // a power of two
}

// panel is the weights of a kernel's channels from the first, for k elements of each tap, and which threads compute with it,
// one for each range of pixels.
type panel struct {
	gemmKernel
	first   int
	from, k int
	threads []int
	bytes   []byte
}

// gemm returns the calls that multiply, or nil if in is: sum[m,o] = bias[o] + the sum over taps and i of arena[at(m,tap)+i] *
// w[i-from], with what weights gives of a channel's tap. choose gives the kernel for m rows or more, if so many channels are
// left.
func (c *compiler) gemm(f *conv, in *operand, choose func(m, left int) gemmKernel) work {
	if in == nil {
		return nil
	}
	panels, tables := f.matrixPanels(in, choose), map[int][][]rowBlocks{} // by the rows of the kernels that read them
	for _, p := range panels {
		tables[p.rows] = nil
	}
	c.charge(len(tables) * f.pixels() * in.taps * 4)
	calls := newCalls[gemmArgs](c)
	c.late = append(c.late, func() {
		c.pack(f, in, panels)
		for _, p := range panels {
			if tables[p.rows] == nil {
				tables[p.rows] = f.rowBlocks(p.rows, in)
			}
			for i, thread := range p.threads {
				for _, b := range tables[p.rows][i] {
					args := gemmArgs{
						x: unsafe.Pointer(&c.arena[p.from*in.element]), table: &b.table[0], panel: &p.bytes[0],
						out: &f.out.data[b.first*f.out.stride+p.first], stride: f.out.stride,
						blocks: b.n, taps: in.taps, clamp: f.clamp(),
					}
					args.setTap(p.k*in.element, p.step)
					calls.add(thread, p.run, args)
				}
			}
		}
	})
	return append(in.fill, share(calls, f.out, f.reading(in.buffer))...)
}

// matrixPanels are those that f's weights are to be packed in.
func (f *conv) matrixPanels(in *operand, choose func(m, left int) gemmKernel) (all []panel) {
	f.eachPanel(func(o, left int, threads []int) (channels int) {
		p := panel{gemmKernel: choose(f.fewest(), left), first: o, threads: threads}
		p.see(f, in)
		all = append(all, p)
		return p.channels
	})
	return all
}

// pack packs f's weights, one panel after the other, so that a kernel can call for the next in time.
func (c *compiler) pack(f *conv, in *operand, all []panel) {
	size := 0
	for i := range all {
		size += all[i].size(f, in)
	}
	room := c.hooks.memory(size)
	for i := range all {
		p := &all[i]
		p.bytes, room = room[:p.size(f, in)], room[p.size(f, in):]
		p.fill(f, in)
	}
}

// see finds out which elements of a tap the channels depend on: in groups, only those of theirs.
func (p *panel) see(f *conv, in *operand) {
	last := in.k
	if f.Depth < f.C {
		p.from = f.Group(p.first) / chunk * chunk
		last = f.Group(min(p.first+p.channels, f.OC)-1) + f.Depth
	}
	p.k = roundUp(last-p.from, p.step)
}

func (p *panel) size(f *conv, in *operand) int { return p.channels * (f.header() + in.taps*p.k) }

// fill packs the weights.
func (p *panel) fill(f *conv, in *operand) {
	for e := range p.channels {
		o := p.first + interleaved(e, p.lanes, p.channels)
		if o >= f.OC {
			continue
		}
		f.describe(p.bytes, e, p.channels, o)
		for tap := range in.taps {
			from, w := in.weights(o, tap)
			to := p.bytes[p.channels*(f.header()+tap*p.k):]
			for i := from - p.from; len(w) > 0; {
				begin := i &^ (p.together - 1) // of those that lie together
				size := min(p.together, p.k-begin)
				n := min(begin+size-i, len(w))
				place := to[begin*p.channels+e*size+i-begin:][:n]
				for j, v := range w[:n] {
					place[j] = byte(v)
				}
				i, w = i+n, w[n:]
			}
		}
	}
}

// interleaved is the channel of element e of a panel's, in vectors of so many lanes. Packing sums to bytes takes, lane by lane
// of 16 bytes, four of each vector, so element 4*j + i of vector v is channel 4*(vectors*j + v) + i.
func interleaved(e, lanes, channels int) int {
	v, j, i := e/lanes, e%lanes/4, e%4
	return 4*(channels/lanes*j+v) + i
}

// rowBlocks are n blocks of rows (output pixels) from row first, and where the inputs of their taps are: [n][taps][rows].
type rowBlocks struct {
	first, n int
	table    []int32
}

// rowBlocks cuts the rows of each range of the result's into blocks. Rows left over by the last whole block are computed by
// one that ends with them, some for a second time.
func (f *conv) rowBlocks(rows int, in *operand) (all [][]rowBlocks) {
	block := func(first, n int) rowBlocks {
		table := make([]int32, 0, n*in.taps*rows)
		for block := range n {
			for tap := range in.taps {
				for r := range rows {
					table = append(table, in.at(first+block*rows+r, tap))
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
