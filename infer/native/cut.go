package native

import (
	"slices"

	"mnet-edge/graph"
)

// How threads share a layer. Each has the same part of it in every run: some rows of pixels, or some channels. Where a part
// needs nothing but what its thread has computed in the layer before, nobody waits for anybody in between: a depthwise
// convolution and the product after it by rows, or a product and the depthwise convolution after it by channels.

// cut is the parts of a value: ranges of pixels times ranges of channels, by where they begin and the last ends. They belong
// to the threads in this order: the first pixels' first channels, the first pixels' second, ...
type cut struct{ pixels, channels []int }

func whole(pixels, channels int) cut { return cut{[]int{0, pixels}, []int{0, channels}} }

func (c cut) parts() int { return (len(c.pixels) - 1) * (len(c.channels) - 1) }

func (c cut) equal(other cut) bool {
	return slices.Equal(c.pixels, other.pixels) && slices.Equal(c.channels, other.channels)
}

// largest is how many elements the largest part has.
func (c cut) largest() int { return largestOf(c.pixels) * largestOf(c.channels) }

// span is the half-open range [first, last).
type span struct{ first, last int }

// spans are the ranges between some places.
func spans(at []int) []span {
	all := make([]span, len(at)-1)
	for i := range all {
		all[i] = span{at[i], at[i+1]}
	}
	return all
}

func largestOf(at []int) (most int) {
	for _, s := range spans(at) {
		most = max(most, s.last-s.first)
	}
	return most
}

// even cuts n into ranges for the threads, of multiples of step where they do not end with n. Where there are not enough of
// these, there are fewer ranges.
func (c *compiler) even(n, step int) []int {
	steps := (n + step - 1) / step
	parts := max(min(c.team.size(), steps), 1)
	at := []int{0}
	for i := range parts {
		at = append(at, min(((i+1)*steps+parts-1)/parts*step, n))
	}
	return at
}

// lines cuts so many rows of pixels.
func (c *compiler) lines(rows, width int) []int {
	at := c.even(rows, 1)
	for i := range at {
		at[i] *= width
	}
	return at
}

// cut is how the threads share n, a convolution or fully connected layer.
func (c *compiler) cut(n *graph.Node) cut {
	lines, channels := c.cuts(n)
	if c.byChannels(n) {
		return channels
	}
	return lines
}

// cuts are both ways to cut n.
func (c *compiler) cuts(n *graph.Node) (lines, channels cut) {
	shape := n.Out.Type.Shape
	width, oc := 1, shape[len(shape)-1]
	if _, dense := n.Op.(graph.FullyConnected); !dense {
		width = shape[2]
	}
	pixels := n.Out.Type.Elements() / oc
	lines, channels = whole(pixels, oc), whole(pixels, oc)
	lines.pixels = c.lines(pixels/width, width)
	channels.channels = c.channels(oc)
	return lines, channels
}

// channels cuts so many channels. Depthwise kernels take 64, but 32 in the end.
func (c *compiler) channels(n int) []int {
	coarse, fine := c.even(n, 64), c.even(n, 32)
	if largestOf(fine) < largestOf(coarse) {
		return fine
	}
	return coarse
}

// far is how many times longer it takes to read what another thread has just written than weights, which come one after the
// other.
const far = 8

// byChannels reports whether the threads share the channels of n rather than its rows. If the largest part of one way is over
// 10 % larger, the other is taken. Otherwise reading decides: by channels every thread reads all of the input, by rows all of
// the weights. A depthwise convolution follows the convolution that reads it.
func (c *compiler) byChannels(n *graph.Node) bool {
	lines, channels := c.cuts(n)
	if one, other := lines.largest(), channels.largest(); 10*max(one, other) > 11*min(one, other) {
		return other < one
	}
	if _, is := n.Op.(graph.DepthwiseConv2D); is {
		if len(n.Out.Uses) != 1 {
			return false
		}
		next := n.Out.Uses[0]
		_, product := next.Op.(graph.Conv2D)
		return product && c.byChannels(next)
	}
	return n.In[1].Type.Elements() > far*n.In[0].Type.Elements()
}

// like is how out is shared if each of its bytes is made of that at the same place of x: as x is, unless blocks of bytes
// would be divided.
func (c *compiler) like(out, x *buffer) cut {
	divided := func(pixel int) bool { return pixel*out.stride%bufferStep != 0 && pixel != out.pixels }
	if len(x.cut.channels) == 2 && len(x.cut.pixels) > 2 && !slices.ContainsFunc(x.cut.pixels, divided) {
		return x.cut
	}
	step := 1
	for step*out.stride%bufferStep != 0 {
		step++
	}
	return cut{c.even(out.pixels, step), []int{0, out.channels}}
}

// access is a buffer that a phase reads. With a cut, each thread reads its own part only; without, any thread may read any of
// it.
type access struct {
	*buffer
	cut cut
}

// work is what a step consists of.
type work []*phase

// phase is something that threads can do without a word in between, each its part.
type phase struct {
	do     func(thread int)
	shared bool // or else it is done by thread 0
	out    *buffer
	reads  []access
}

// alone is work of thread 0.
func alone(f func()) work {
	return work{{do: func(thread int) {
		if thread == 0 {
			f()
		}
	}}}
}

// A schedule is phases in their order, in stretches: within these a thread needs nothing that others do in them.
type schedule struct {
	stretches [][]*phase
	shared    bool // the phases of the last are
	sharing   bool // any is
	moments   int  // times at which buffers are in use: phases with the same one may be at work together
}

// add appends a step's work, perhaps apart from what was before, and tells its first and last moment.
func (s *schedule) add(w work, apart bool) span {
	first := s.moments
	for i, p := range w {
		waits := len(s.stretches) == 0 || i == 0 && apart || s.waits(p)
		if waits {
			s.stretches = append(s.stretches, nil)
		}
		if waits || !p.shared {
			s.moments++
		}
		if i == 0 {
			first = s.moments
		}
		last := &s.stretches[len(s.stretches)-1]
		*last = append(*last, p)
		if s.shared = p.shared; p.shared {
			s.sharing = true
			p.out.made = len(s.stretches)
		}
	}
	return span{first, s.moments}
}

// waits reports whether p needs what others did in the last stretch.
func (s *schedule) waits(p *phase) bool {
	return p.shared != s.shared || p.shared && slices.ContainsFunc(p.reads, func(a access) bool {
		return a.made == len(s.stretches) && !a.cut.equal(a.buffer.cut)
	})
}
