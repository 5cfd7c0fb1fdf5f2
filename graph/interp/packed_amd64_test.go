package interp

import "testing"

// What processors with less than this one run.
func TestPackedEqualsPlainNarrow(t *testing.T) {
	for name, has := range map[string]*bool{"without VNNI": &hasVNNI, "without AVX-512": &hasWider} {
		t.Run(name, func(t *testing.T) {
			if !*has {
				t.Skip("this processor runs nothing else")
			}
			had := [2]bool{hasVNNI, hasWider}
			hasVNNI, *has = false, false
			defer func() { hasVNNI, hasWider = had[0], had[1] }()
			TestPackedEqualsPlain(t)
		})
	}
}
