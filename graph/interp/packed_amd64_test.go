package interp

import "testing"

// What a processor without AVX-512 runs.
func TestPackedEqualsPlainNarrow(t *testing.T) {
	if !hasWider {
		t.Skip("this processor runs nothing else")
	}
	hasWider = false
	defer func() { hasWider = true }()
	TestPackedEqualsPlain(t)
}
