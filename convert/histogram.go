package convert

import (
	"math"

	"mnet-edge/graph"
	"mnet-edge/graph/interp"
)

// histogramBins is how many bins each sign of a histogram has: eight for each step of an int8 that spans them.
const histogramBins = 2048

// histogram counts the values of one activation. A bin's width is a power of two, the smallest at which the largest
// magnitude seen still falls into a bin; a wider bin is the union of two narrower ones. So the counts depend on which
// values were seen and not on their order, nor on how they were spread over histograms that were merged.
// Zeros, which every quantization holds exactly, are counted apart.
type histogram struct {
	seen  graph.Interval // the smallest and the largest value; Min > Max when there was none
	exp   int            // a bin is 2^exp wide
	count []uint64       // counters of them, or none: of the bins above zero, below zero, and of zeros
}

// zeroSlots is the number of counters that zeros take turns at: adding to one over and over would wait each time for
// the last sum.
const zeroSlots = 8

const counters = 2*histogramBins + zeroSlots

// minExp keeps the reciprocal of a width finite.
const minExp = -100

// newHistogram is a histogram of nothing.
func newHistogram() *histogram {
	return &histogram{seen: graph.Interval{Min: float32(math.Inf(1)), Max: float32(math.Inf(-1))}, exp: minExp}
}

// reset forgets what was seen and counted.
func (h *histogram) reset() {
	count := h.count
	clear(count)
	*h = *newHistogram()
	h.count = count
}

// see counts nothing, and takes the values into seen.
func (h *histogram) see(values []float32) (lo, hi float32) {
	lo, hi = interp.Extremes(values)
	h.seen = graph.Interval{Min: min(h.seen.Min, lo), Max: max(h.seen.Max, hi)}
	return lo, hi
}

// observe counts every share-th stretch of the values, at least one, from stretch turn (mod share) on; seen is of them all. Of values that are
// not all finite only seen is kept, for whoever refuses them.
func (h *histogram) observe(values []float32, turn, share int) {
	if len(values) == 0 {
		return
	}
	lo, hi := h.see(values)
	if finite([]float32{lo, hi}) != nil {
		return
	}
	if h.count == nil {
		h.count = fresh[uint64](counters)
	}
	h.widen(expOf(max(-lo, hi)))
	inverse := float32(math.Ldexp(1, -h.exp))
	const stretch = 64
	stretches := (len(values) + stretch - 1) / stretch
	for from := turn % min(share, stretches) * stretch; from < len(values); from += share * stretch {
		h.add(values[from:min(from+stretch, len(values))], inverse)
	}
}

// add counts values that fit, inverse being the reciprocal of a bin's width. It sees every value of every sample, so it has no
// branches: half the values of a ReLU are zeros, in no order that a processor could predict.
func (h *histogram) add(values []float32, inverse float32) {
	count := (*[counters]uint64)(h.count)
	for i, x := range values {
		// The product is exact but for results far inside the first bin.
		b := math.Float32bits(x * inverse)
		zero := int((math.Float32bits(x)&^signBit - 1) >> 31) // 1 for ±0
		at := int(math.Float32frombits(b&^signBit)) + (int(b>>31)&^zero)*histogramBins
		count[at+zero*(2*histogramBins+i%zeroSlots)]++
	}
}

const signBit = 1 << 31

// expOf is the exponent of the narrowest bins that reach the magnitude.
func expOf(magnitude float32) int {
	if magnitude == 0 {
		return minExp
	}
	_, e := math.Frexp(float64(magnitude)) // magnitude < 2^e
	return max(e-11, minExp)               // 2^11 bins
}

// widen makes bins 2^exp wide, unless they are already wider.
func (h *histogram) widen(exp int) {
	shift := exp - h.exp
	if shift <= 0 {
		return
	}
	h.exp = exp
	for sign := range len(h.count) / histogramBins {
		bins := h.count[sign*histogramBins:][:histogramBins]
		for i, n := range bins {
			bins[i] = 0
			bins[i>>min(shift, 63)] += n
		}
	}
}

// merge adds what other has counted.
func (h *histogram) merge(other *histogram) {
	h.widen(other.exp)
	if h.count == nil && other.count != nil {
		h.count = make([]uint64, counters)
	}
	shift := h.exp - other.exp
	for i, n := range other.count {
		if sign := i &^ (histogramBins - 1); n == 0 || sign == 2*histogramBins {
			h.count[i] += n
		} else {
			h.count[sign+(i-sign)>>min(shift, 63)] += n
		}
	}
	h.seen = graph.Interval{Min: min(h.seen.Min, other.seen.Min), Max: max(h.seen.Max, other.seen.Max)}
}

// width is a bin's, in real units.
func (h *histogram) width() float64 { return math.Ldexp(1, h.exp) }

// side is the counts of one sign from 0 outward, up to the outermost bin that is not empty: bin i holds magnitudes in
// [i, i+1) * width.
func (h *histogram) side(negative bool) []uint64 {
	if h.count == nil {
		return nil
	}
	bins := h.count[:histogramBins]
	if negative {
		bins = h.count[histogramBins : 2*histogramBins]
	}
	n := len(bins)
	for n > 0 && bins[n-1] == 0 {
		n--
	}
	return bins[:n]
}

// total is the number of values, zeros included.
func (h *histogram) total() uint64 {
	n := uint64(0)
	for _, c := range h.count {
		n += c
	}
	return n
}

// interval is the range that ends j bins below and i bins above 0, within what was seen. Of values on one side of 0 it holds the nearest at
// least, though the bin's edge before that were nearer.
func (h *histogram) interval(j, i int) graph.Interval {
	w := h.width()
	r := graph.Interval{
		Min: max(h.seen.Min, float32(-float64(j)*w)),
		Max: min(h.seen.Max, float32(float64(i)*w)),
	}
	if h.seen.Min > 0 {
		r.Max = max(r.Max, h.seen.Min)
	} else if h.seen.Max < 0 {
		r.Min = min(r.Min, h.seen.Max)
	}
	return r
}
