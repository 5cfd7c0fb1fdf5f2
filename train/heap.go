package train

import (
	"fmt"
	"os"
)

// heap keeps the memory of a process that trains from growing without need.
//
// A step's temporaries are one piece of memory for each device, of half a gigabyte and more. With Tunables they stay with the process from step to
// step, since pages that the system has to clear for each step anew cost a fifth of its time. But glibc before 2.38 does not find an aligned
// piece in the very one of that size that it was given back, once a few bytes beside it have another use (its bug 14581), and takes
// another one from the system: a run that used one gigabyte came to twenty. What it leaves lying is given back when it has become much.
type heap struct {
	usual uint64 // resident after the first step, or the first one after memory was given back; 0: that is still to come
}

// afterStep is called after each step.
func (h *heap) afterStep() {
	if h.grown(resident()) {
		giveBack()
	}
}

// grown says whether it is time to give memory back, now being what is resident.
func (h *heap) grown(now uint64) bool {
	if h.usual == 0 {
		h.usual = now
		return false
	}
	if now <= h.usual+h.usual/4 {
		return false
	}
	h.usual = 0
	return true
}

// resident is how much memory of this process is in use, in bytes, as Linux has it, where alone glibc is; 0 elsewhere.
func resident() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages uint64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
