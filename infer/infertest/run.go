package infertest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/model"
	"mnet-edge/quant"
)

// Exceptions are what a runtime is allowed to do differently. The zero value allows nothing.
type Exceptions struct {
	// Reference is the arithmetic the answers are compared with; nil is quant.Double's, TFLite's reference kernels'.
	Reference infer.Runtime
	// MaxLSB is how far an int8 output may be from the reference's, in steps.
	MaxLSB int
	// MaxRel is how far a float32 output may be from the reference's, relative to the largest output of the image.
	MaxRel float64
	// Delegated says that the delegate takes these networks whole, in one partition.
	Delegated bool
	// Cache says that Options.Cache has an effect.
	Cache bool
	// InPart says that the delegate takes some nodes of some of these networks; which ones is left to the runtime's test.
	InPart bool
	// Pool says that n threads are the caller's and n-1 that the session starts, and ends when it is closed.
	Pool bool
	// Slow says that opening a model takes a second: what is done many times is done a tenth as often.
	Slow bool
}

// Run holds a runtime with a delegate to the contract of infer.Runtime and infer.Session.
func Run(t *testing.T, r infer.Runtime, delegate string, ex Exceptions) {
	if ex.Reference == nil {
		ex.Reference = infer.NewReference(quant.Double)
	}
	s := suite{r, delegate, ex}
	t.Run("description", s.description)
	t.Run("tensors", s.tensors)
	t.Run("placement", s.placement)
	t.Run("lengths", s.lengths)
	t.Run("answers", s.answers)
	t.Run("order", s.order)
	t.Run("threads", s.threads)
	t.Run("allocation", s.allocation)
	t.Run("close", s.close)
	t.Run("reopen", s.reopen)
	t.Run("delegate", s.unknownDelegate)
	t.Run("hostile", s.hostile)
	if ex.Cache {
		t.Run("cache", s.cache)
	}
}

type suite struct {
	runtime  infer.Runtime
	delegate string
	ex       Exceptions
}

// nets are the networks every runtime takes.
var nets = []struct {
	name    string
	net     model.Net
	padding model.Padding
	kind    Kind
}{
	{"D float", model.NetD, model.PadSame, Float},
	{"D float padded", model.NetD, model.PadSymmetric, Float},
	{"C float", model.NetC, model.PadSame, Float},
	{"D int8", model.NetD, model.PadSame, Int8},
	{"D int8 padded", model.NetD, model.PadSymmetric, Int8},
	{"C int8", model.NetC, model.PadSame, Int8},
	{"D int8 between floats", model.NetD, model.PadSame, Int8Float},
	{"P float", model.NetP, model.PadSame, Float},
	{"P int8", model.NetP, model.PadSame, Int8},
}

func (s suite) times(n int) int {
	if s.ex.Slow {
		return n / 10
	}
	return n
}

func file(t *testing.T, i int) []byte {
	t.Helper()
	spec := Small
	spec.Net, spec.Padding = nets[i].net, nets[i].padding
	b, err := Model(spec, nets[i].kind, uint64(i))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const anInt8Net = 3

func (s suite) open(t *testing.T, file []byte, threads int) infer.Session {
	t.Helper()
	return open(t, s.runtime, file, infer.Options{Delegate: s.delegate, Threads: threads})
}

func open(t *testing.T, r infer.Runtime, file []byte, opts infer.Options) infer.Session {
	t.Helper()
	session, err := r.Open(file, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

func (s suite) description(t *testing.T) {
	if s.runtime.Name() == "" || s.runtime.Version() == "" {
		t.Errorf("name %q, version %q", s.runtime.Name(), s.runtime.Version())
	}
	var names []string
	for _, d := range s.runtime.Devices() {
		names = append(names, d.Name)
		if !d.Available && (d.Name == s.delegate || d.Reason == "") {
			t.Errorf("%q is not available: %q", d.Name, d.Reason)
		}
	}
	if !slices.Contains(names, s.delegate) {
		t.Errorf("devices %q lack %q", names, s.delegate)
	}
}

// tensors: input and output are those of the file.
func (s suite) tensors(t *testing.T) {
	for i := range nets {
		b := file(t, i)
		g, err := tflite.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		session := s.open(t, b, 1)
		for _, x := range []struct {
			got  infer.Tensor
			want *graph.Value
		}{{session.Input(), g.Inputs[0]}, {session.Output(), g.Outputs[0]}} {
			if x.got.Name != x.want.Name || !x.got.Type.Equal(x.want.Type) {
				t.Errorf("%s: tensor %q %v, want %q %v", nets[i].name, x.got.Name, x.got.Type, x.want.Name, x.want.Type)
			}
		}
	}
}

func (s suite) placement(t *testing.T) {
	for i := range nets {
		b := file(t, i)
		g, err := tflite.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		p := s.open(t, b, 1).Placement()
		if s.ex.InPart {
			if p.TotalNodes != len(g.Nodes) || p.DelegatedNodes > p.TotalNodes {
				t.Errorf("%s: %+v", nets[i].name, p)
			}
			continue
		}
		want := infer.Placement{Delegate: infer.NoDelegate, TotalNodes: len(g.Nodes)}
		if s.ex.Delegated {
			want = infer.Placement{Delegate: s.delegate, TotalNodes: len(g.Nodes), DelegatedNodes: len(g.Nodes), Partitions: 1}
		}
		if p != want {
			t.Errorf("%s: %+v, want %+v", nets[i].name, p, want)
		}
	}
}

// lengths: only buffers of the tensor's size are taken, and a wrong one harms nothing.
func (s suite) lengths(t *testing.T) {
	session := s.open(t, file(t, anInt8Net), 1)
	for _, x := range []struct {
		name string
		call func([]byte) error
		size int
	}{
		{"Write", session.Write, session.Input().Type.Bytes()},
		{"Read", session.Read, session.Output().Type.Bytes()},
	} {
		for _, n := range []int{0, 1, x.size - 1, x.size + 1, 4 * x.size} {
			if err := x.call(make([]byte, n)); err == nil {
				t.Errorf("%s took %d bytes for a tensor of %d", x.name, n, x.size)
			}
		}
		if err := x.call(nil); err == nil {
			t.Errorf("%s took nil", x.name)
		}
		if err := x.call(make([]byte, x.size)); err != nil {
			t.Errorf("%s of %d bytes: %v", x.name, x.size, err)
		}
	}
}

// invoke is one inference.
func invoke(t *testing.T, s infer.Session, in []byte) []byte {
	t.Helper()
	out := make([]byte, s.Output().Type.Bytes())
	if err := infer.Call(s, in, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// answers are the reference's, within the exceptions.
func (s suite) answers(t *testing.T) {
	for i, net := range nets {
		b := file(t, i)
		session, reference := s.open(t, b, 1), open(t, s.ex.Reference, b, infer.Options{})
		r := rand.New(rand.NewPCG(uint64(i), 7))
		lsb, rel := 0, 0.0
		for range 8 {
			in := randomInput(r, session.Input().Type)
			got, want := invoke(t, session, in), invoke(t, reference, in)
			switch {
			case session.Output().Type.DType == graph.Int8:
				lsb = max(lsb, int(Apart(graph.Int8, got, want, 1)))
			case net.kind == Float:
				rel = max(rel, Apart(graph.Float32, got, want, 0))
			default: // a dequantized output is as many steps of its int8 scale apart
				g, err := infer.Decode(b)
				if err != nil {
					t.Fatal(err)
				}
				scale, _ := g.Outputs[0].Def.In[0].Type.Quant.At(0)
				lsb = max(lsb, int(min(math.Round(Apart(graph.Float32, got, want, float64(scale))), math.MaxInt32)))
			}
			if constant(got) {
				t.Errorf("%s: all outputs are equal: nothing was computed, or the test's network is no good", net.name)
			}
		}
		t.Logf("%s: off by %d steps, %.2g relative", net.name, lsb, rel)
		if lsb > s.ex.MaxLSB || rel > s.ex.MaxRel {
			t.Errorf("%s: off by %d steps, %.2g relative: at most %d and %.2g allowed", net.name, lsb, rel, s.ex.MaxLSB, s.ex.MaxRel)
		}
	}
}

func randomInput(r *rand.Rand, t graph.Type) []byte {
	var b []byte
	for range t.Elements() {
		if t.DType == graph.Float32 {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(r.NormFloat64())))
		} else {
			b = append(b, byte(r.Uint32()))
		}
	}
	return b
}

// Apart is the largest difference of two tensors of a type in units of unit, or if 0 as a share of b's largest value. What is no number in one of
// them alone is infinitely far from the other, and so is a tensor of another length.
func Apart(d graph.DType, a, b []byte, unit float64) (most float64) {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	largest := 0.0
	for i := range len(b) / d.Size() {
		x, y := number(d, a, i), number(d, b, i)
		switch {
		case x == y || math.IsNaN(x) && math.IsNaN(y):
		case math.IsNaN(x - y):
			return math.Inf(1)
		default:
			most = max(most, math.Abs(x-y))
		}
		if !math.IsInf(y, 0) {
			largest = max(largest, math.Abs(y))
		}
	}
	switch {
	case most == 0:
		return 0
	case unit == 0:
		unit = largest
	}
	if unit == 0 || math.IsInf(most, 1) {
		return math.Inf(1)
	}
	return most / unit
}

// number is element i of a tensor.
func number(d graph.DType, b []byte, i int) float64 {
	switch d {
	case graph.Int8:
		return float64(int8(b[i]))
	case graph.Int16:
		return float64(int16(binary.LittleEndian.Uint16(b[2*i:])))
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
}

func constant(out []byte) bool {
	for i := range out {
		if out[i] != out[i%(len(out)/Small.Classes)] {
			return false
		}
	}
	return true
}

// order: an answer depends on its input alone, not on the calls before; the caller's buffers are only read.
func (s suite) order(t *testing.T) {
	for i := range nets {
		b := file(t, i)
		session := s.open(t, b, 1)
		clear(b) // the session must not depend on it any more
		r := rand.New(rand.NewPCG(uint64(i), 9))
		first, second := randomInput(r, session.Input().Type), randomInput(r, session.Input().Type)
		kept := bytes.Clone(first)
		a1, b1, a2 := invoke(t, session, first), invoke(t, session, second), invoke(t, session, first)
		if !bytes.Equal(a1, a2) {
			t.Errorf("%s: another answer after another image", nets[i].name)
		}
		if bytes.Equal(a1, b1) {
			t.Errorf("%s: two images have the same answer", nets[i].name)
		}
		if !bytes.Equal(first, kept) {
			t.Errorf("%s: the input was written to", nets[i].name)
		}
		if err := session.Invoke(); err != nil { // again, without Write
			t.Error(err)
		}
	}
}

// threads: the number changes the speed, not the answer; as many as were asked for are there.
func (s suite) threads(t *testing.T) {
	b := file(t, anInt8Net)
	var want []byte
	for _, threads := range []int{0, 1, 2, 3} {
		session := s.open(t, b, threads)
		got := invoke(t, session, randomInput(rand.New(rand.NewPCG(1, 2)), session.Input().Type))
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d threads: another answer", threads)
		}
	}
	if s.ex.Pool && runtime.GOOS == "linux" {
		for n := 1; n <= 4; n++ {
			if started := s.started(t, b, n); started != n-1 {
				t.Errorf("%d threads: the session started %d of its own, want %d", n, started, n-1)
			}
		}
	}
	if _, err := s.runtime.Open(b, infer.Options{Delegate: s.delegate, Threads: -1}); err == nil {
		t.Error("-1 threads were taken")
	}
}

// started is how many threads of the process end with a session of n. Go's own end with the process, but one may start
// meanwhile: of three sessions the largest number counts.
func (s suite) started(t *testing.T, file []byte, n int) (most int) {
	count := func() int {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		return len(tasks)
	}
	for range 3 {
		session := s.open(t, file, n)
		invoke(t, session, make([]byte, session.Input().Type.Bytes()))
		before := count()
		session.Close()
		most = max(most, before-count())
	}
	return most
}

func (s suite) allocation(t *testing.T) {
	session := s.open(t, file(t, anInt8Net), 1)
	var err error
	if n := testing.AllocsPerRun(20, func() { err = session.Invoke() }); n != 0 || err != nil {
		t.Errorf("%v allocations a call, error %v", n, err)
	}
}

// close: any number of times, and afterwards every call is refused.
func (s suite) close(t *testing.T) {
	session := s.open(t, file(t, anInt8Net), 1)
	in, out := make([]byte, session.Input().Type.Bytes()), make([]byte, session.Output().Type.Bytes())
	for range 2 {
		if err := session.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if session.Write(in) == nil || session.Invoke() == nil || session.Read(out) == nil {
		t.Error("a closed session was used")
	}
}

func (s suite) reopen(t *testing.T) {
	b := file(t, anInt8Net)
	for range s.times(50) {
		session, err := s.runtime.Open(b, infer.Options{Delegate: s.delegate})
		if err != nil {
			t.Fatal(err)
		}
		invoke(t, session, make([]byte, session.Input().Type.Bytes()))
		session.Close()
	}
}

func (s suite) unknownDelegate(t *testing.T) {
	if _, err := s.runtime.Open(file(t, anInt8Net), infer.Options{Delegate: "abacus"}); !errors.Is(err, infer.ErrUnavailable) {
		t.Errorf("delegate abacus: %v, want ErrUnavailable", err)
	}
}

// hostile: damaged files are refused as models, or run.
func (s suite) hostile(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty": {}, "identifier": []byte("\x18\x00\x00\x00TFL3"), "text": []byte("not a model at all, but long enough to look at"),
	} {
		if _, err := s.runtime.Open(b, infer.Options{Delegate: s.delegate}); !errors.Is(err, infer.ErrModel) {
			t.Errorf("%s: %v, want ErrModel", name, err)
		}
	}
	b := file(t, anInt8Net)
	for n := 0; n < len(b)*9/10; n += len(b)/s.times(40) + 1 { // what follows may be the archive of labels
		if _, err := s.runtime.Open(b[:n], infer.Options{Delegate: s.delegate}); !errors.Is(err, infer.ErrModel) {
			t.Errorf("cut to %d of %d bytes: %v, want ErrModel", n, len(b), err)
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range s.times(100) {
		mutant := bytes.Clone(b)
		for range 1 + r.IntN(4) {
			at := r.IntN(len(mutant))
			if r.IntN(2) == 0 {
				at = r.IntN(min(len(mutant), 4096))
			}
			mutant[at] ^= 1 << r.IntN(8)
		}
		session, err := s.runtime.Open(mutant, infer.Options{Delegate: s.delegate})
		if err != nil {
			if !errors.Is(err, infer.ErrModel) && !errors.Is(err, infer.ErrUnavailable) {
				t.Errorf("mutant: %v, want ErrModel", err)
			}
			continue
		}
		if err := session.Write(make([]byte, session.Input().Type.Bytes())); err != nil {
			t.Error(err)
		}
		session.Invoke() // an error is as good as an answer
		session.Close()
	}
}

// cache: packed weights are kept in a file, one a model, and give the same answers; one cut short or of something else is
// written anew.
func (s suite) cache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "when", "needed")
	opts := infer.Options{Delegate: s.delegate, Cache: dir}
	for i, net := range nets {
		b := file(t, i)
		in := randomInput(rand.New(rand.NewPCG(4, 4)), s.open(t, b, 1).Input().Type)
		want := invoke(t, s.open(t, b, 1), in)
		answer := func(what string) {
			t.Helper()
			if got := invoke(t, open(t, s.runtime, b, opts), in); !bytes.Equal(got, want) {
				t.Errorf("%s, %s: another answer", net.name, what)
			}
		}
		answer("first")
		answer("again")
		kept := s.newest(t, dir)
		whole, err := os.ReadFile(kept)
		if err != nil || len(whole) == 0 {
			t.Fatalf("%s: %d bytes kept, %v", net.name, len(whole), err)
		}
		for what, spoilt := range map[string][]byte{"cut short": whole[:len(whole)/3], "empty": nil, "of something else": bytes.Repeat([]byte("text "), 1000)} {
			if err := os.WriteFile(kept, spoilt, 0o644); err != nil {
				t.Fatal(err)
			}
			answer(what)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != len(nets) {
		t.Errorf("%d files for %d models, %v", len(files), len(nets), err)
	}
	opts.Cache = filepath.Join(dir, "made", "\x00")
	if _, err := s.runtime.Open(file(t, anInt8Net), opts); err == nil {
		t.Error("a folder that cannot be made was taken")
	}
}

func (s suite) newest(t *testing.T, dir string) (path string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var latest time.Time
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.ModTime().After(latest) {
			path, latest = filepath.Join(dir, f.Name()), info.ModTime()
		}
	}
	return path
}
