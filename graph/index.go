package graph

// Strides are those of a row-major tensor: element (i, j, ...) is at i*s[0] + j*s[1] + ...
func Strides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// Offsets is, for every index of a tensor of this shape in row-major order, start + the sum of index times step.
func Offsets(shape, step []int, start int) []int {
	at := []int{start}
	for i, d := range shape {
		next := make([]int, 0, len(at)*d)
		for _, base := range at {
			for k := range d {
				next = append(next, base+k*step[i])
			}
		}
		at = next
	}
	return at
}
