package train

import (
	"runtime"
	"slices"
	"testing"
)

// Memory is given back when it is a quarter more than after the first step, and then what the next step leaves is the measure.
func TestHeapGrown(t *testing.T) {
	var h heap
	var got []bool
	for _, resident := range []uint64{0, 1000, 1250, 1251, 800, 900, 1100, 700, 0} {
		got = append(got, h.grown(resident))
	}
	if want := []bool{false, false, false, true, false, false, true, false, false}; !slices.Equal(got, want) {
		t.Errorf("given back after each step: %v, want %v", got, want)
	}
	if runtime.GOOS == "linux" && resident() == 0 {
		t.Error("this process is said to have no memory")
	}
}
