package soak

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"mnet-edge/infer"
	"mnet-edge/infer/infertest"
)

// models are those that are mutated: a trained int8 network, the operators one by one, and a network in float32.
func models(t *testing.T) [][]byte {
	t.Helper()
	float, err := infertest.Model(infertest.Small, infertest.Float, 1)
	if err != nil {
		t.Fatal(err)
	}
	return [][]byte{vector(t, "cifar10"), vector(t, "operators"), float}
}

const (
	patience  = 10 * time.Second // for one mutant
	memoryCap = 512.0            // MB, for parent and child
)

// Mutants are refused by the check in Go or run in the child; the parent survives them all, within its memory, and no
// mutant takes longer than ten seconds. A mutant that crashes the child is a hole in the check, and fails the test.
func TestMutants(t *testing.T) {
	needProc(t)
	models := models(t)
	c := &child{t: t}
	defer c.stop()
	for i, m := range models {
		if ran, said, err := c.run(m, patience); err != nil || ran == 0 {
			t.Fatalf("model %d, unharmed: ran on %d engines, %s, %v", i, ran, said, err)
		}
	}
	var refused, passed, ranAll, crashed int
	var slowest time.Duration
	refusals := map[string]int{} // by the last engine that did
	n := amount(300, 10_000)
	for seed := range n {
		m := mutant(models, uint64(seed))
		start := time.Now()
		_, err := infer.Decode(m)
		took := time.Since(start)
		switch {
		case err == nil:
			passed++
			ran, said, err := c.run(m, patience-took)
			took = time.Since(start)
			switch {
			case err != nil:
				crashed++
				t.Errorf("mutant %d: %v", seed, err)
			case ran == len(engines()):
				ranAll++
			default:
				refusals[strings.SplitN(said, " ", 2)[0]]++
			}
		case errors.Is(err, infer.ErrModel):
			refused++
		default:
			t.Errorf("mutant %d: error %v is no ErrModel", seed, err)
		}
		if slowest = max(slowest, took); took > patience {
			t.Errorf("mutant %d took %v", seed, took)
		}
	}
	c.stop()
	parent := statusMB(t, "self", "VmHWM")
	if parent > memoryCap || c.peak > memoryCap {
		t.Errorf("memory: parent %.0f MB, child %.0f MB, at most %.0f", parent, c.peak, memoryCap)
	}
	t.Logf("%d mutants of %d models: %d refused by the check, %d passed; of these %d ran on all %d engines, "+
		"some engine refused others %v, %d crashed the child; "+
		"slowest %v; memory parent %.0f MB, child %.0f MB", n, len(models), refused, passed, ranAll, len(engines()), refusals, crashed,
		slowest.Round(time.Millisecond), parent, c.peak)
}

// Every truncation of the smallest model is refused.
func TestTruncations(t *testing.T) {
	whole := vector(t, "operators")
	step := amount(16, 1)
	for n := 0; n < len(whole); n += step {
		if _, err := infer.Decode(whole[:n]); err != nil {
			if !errors.Is(err, infer.ErrModel) {
				t.Fatalf("cut at %d: error %v is no ErrModel", n, err)
			}
			continue
		}
		t.Errorf("cut at %d of %d: passed", n, len(whole))
	}
}

// mutant is the seed's mutation of one of the models: bits flipped, words replaced, the end cut off, a span of one model
// put over another. Words that may be offsets, lengths or indices are preferred: most of a file is weights, in which a
// flipped bit is no attack.
func mutant(models [][]byte, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	m := bytes.Clone(models[r.IntN(len(models))])
	for range 1 + r.IntN(4) {
		switch at := place(r, m); r.IntN(8) {
		case 0, 1:
			m[r.IntN(len(m))] ^= 1 << r.IntN(8)
		case 2:
			m[at+r.IntN(4)] ^= 1 << r.IntN(8)
		case 3, 4, 5:
			binary.LittleEndian.PutUint32(m[at:], word(r, m, binary.LittleEndian.Uint32(m[at:])))
		case 6:
			from := models[r.IntN(len(models))]
			span := min(4<<r.IntN(7), len(m)-at)
			start := place(r, from)
			copy(m[at:at+span], from[start:])
		case 7:
			if r.IntN(4) == 0 {
				m = slices.Clip(m[:max(64, r.IntN(len(m)))])
			} else {
				binary.LittleEndian.PutUint16(m[at:], uint16(r.Uint32())>>r.IntN(16))
			}
		}
	}
	return m
}

// place is the offset of a word, most often of one that may be structure.
func place(r *rand.Rand, m []byte) int {
	for range 64 {
		at := r.IntN(len(m)/4-1) * 4
		if v := int32(binary.LittleEndian.Uint32(m[at:])); v != 0 && int(v) < len(m) && int(v) > -len(m) {
			return at
		}
	}
	return r.IntN(len(m)/4-1) * 4
}

// word is a number that breaks things.
func word(r *rand.Rand, m []byte, old uint32) uint32 {
	odd := []uint32{0, 1, 2, 7, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe,
		uint32(len(m)), uint32(len(m) - 4), 0x7f800000, 0x7fc00000, 1 << 30, 0x3fffffff,
		old + 1, old - 1, old + 4, old - 4, old * 2, -old, binary.LittleEndian.Uint32(m[place(r, m):])}
	return odd[r.IntN(len(odd))]
}

// The same seed is the same mutant: a failure can be looked at again.
func TestMutantIsSeeded(t *testing.T) {
	models := models(t)
	different := map[string]bool{}
	for seed := range uint64(100) {
		m := mutant(models, seed)
		if !bytes.Equal(m, mutant(models, seed)) {
			t.Fatalf("seed %d makes two mutants", seed)
		}
		different[fmt.Sprintf("%x", m)] = true
	}
	if len(different) < 95 {
		t.Errorf("100 seeds make %d mutants", len(different))
	}
}
