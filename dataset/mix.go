package dataset

import "math/bits"

// Streams keep the hashes of different choices apart: a sample's crop says nothing about its flip or its place in the order.
const (
	streamHoldout = iota + 1
	streamOrder
	streamCrop
	streamFlip
	streamCutout
	streamMix
)

// mix hashes words to 64 bits that look random: each word goes through the step and the finalizer of SplitMix64 (Steele, Lea and
// Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014). The values are part of what a seed means: a change
// of this function changes every run.
func mix(words ...uint64) uint64 {
	var h uint64
	for _, w := range words {
		h = (h ^ w) + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// below maps the hash h to 0..n-1, n >= 1. The bias is under n/2^64.
func below(h uint64, n int) int {
	hi, _ := bits.Mul64(h, uint64(n))
	return int(hi)
}

// permutation returns 0..n-1 in the order of the given epoch: the Fisher-Yates shuffle.
func permutation(seed uint64, epoch, n int) []int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	for i := n - 1; i > 0; i-- {
		j := below(mix(seed, streamOrder, uint64(epoch), uint64(i)), i+1)
		order[i], order[j] = order[j], order[i]
	}
	return order
}
