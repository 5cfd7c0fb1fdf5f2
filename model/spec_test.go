package model

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The source's five nets, with the totals its table and text give (seed figures; two of them belong to nets that
// cannot run as printed, see the notes of inspect).
func TestSourceTotals(t *testing.T) {
	d := func(change func(*Spec)) Spec { s := DefaultSpec(NetD); change(&s); return s }
	for _, c := range []struct {
		name             string
		spec             Spec
		total, trainable int
	}{
		{"D", d(func(s *Spec) {}), 3239114, 3217226},
		{"C", DefaultSpec(NetC), 28291306, 28279338},
		{"D w=3", d(func(s *Spec) { s.Width = 3 }), 28539722, 0},
		{"C w=0.338", d(func(s *Spec) { s.Net, s.Width = NetC, 0.338 }), 3240033, 0},
		{"D without the intermediate ReLU", d(func(s *Spec) { s.MidReLU = false }), 3239114, 3217226},
	} {
		if err := c.spec.Check(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		got := c.spec.Counts()
		if got.Total != c.total || c.trainable != 0 && got.Trainable != c.trainable {
			t.Errorf("%s: total %d trainable %d, want %d and %d", c.name, got.Total, got.Trainable, c.total, c.trainable)
		}
	}
}

// The listings as the source prints them: name and count of each weight, in order.
func TestSourceListing(t *testing.T) {
	blocksD := [][2]int{{288, 2048}, {576, 8192}, {1152, 16384}, {1152, 32768}, {2304, 65536}, {2304, 131072},
		{4608, 262144}, {4608, 262144}, {4608, 262144}, {4608, 262144}, {4608, 262144}, {4608, 524288}, {9216, 1048576}}
	blocksC := []int{18432, 73728, 147456, 294912, 589824, 1179648, 2359296, 2359296, 2359296, 2359296, 2359296, 4718592, 9437184}
	var d, c strings.Builder
	fmt.Fprintln(&d, "conv1.weight 864")
	fmt.Fprintln(&c, "conv1.weight 864")
	for i, b := range blocksD {
		fmt.Fprintf(&d, "layers.%d.conv1.weight %d\nlayers.%d.conv2.weight %d\n", i, b[0], i, b[1])
	}
	for i, n := range blocksC {
		fmt.Fprintf(&c, "layers.%d.conv1.weight %d\n", i, n)
	}
	tail := "linear.weight 10240\nlinear.bias 10\n"
	for _, tc := range []struct{ net, want string }{{"D", d.String() + tail}, {"C", c.String() + tail}} {
		var got strings.Builder
		for _, p := range DefaultSpec(Net(tc.net)).Params() {
			if p.Listed {
				fmt.Fprintf(&got, "%s %d\n", p.Name, p.Count())
			}
		}
		if got.String() != tc.want {
			t.Errorf("net %s lists\n%swant\n%s", tc.net, got.String(), tc.want)
		}
	}
}

// Halvings are left out from the first on, whatever the net and the size, and nothing but the sizes and strides changes.
func TestOutputStride(t *testing.T) {
	for _, c := range []struct {
		stride, enlarge int
		sizes           []int // of each block's output
	}{
		{0, 0, []int{32, 16, 16, 8, 8, 4, 4, 4, 4, 4, 4, 2, 2}},
		{8, 0, []int{32, 32, 32, 16, 16, 8, 8, 8, 8, 8, 8, 4, 4}},
		{4, 0, []int{32, 32, 32, 32, 32, 16, 16, 16, 16, 16, 16, 8, 8}},
		{2, 0, []int{32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 16, 16}},
		{8, 2, []int{64, 64, 64, 32, 32, 16, 16, 16, 16, 16, 16, 8, 8}},
	} {
		for _, net := range []Net{NetC, NetD} {
			s := DefaultSpec(net)
			s.OutputStride, s.Enlarge = c.stride, c.enlarge
			if err := s.Check(); err != nil {
				t.Errorf("%s: %v", s.Name(), err)
			}
			var sizes []int
			last := s.Inner()
			for _, l := range s.Layers() {
				if l.InSize != last && l.Kind != Linear || l.OutSize*l.Stride != l.InSize {
					t.Errorf("%s, %s: from %d to %d pixels at stride %d, behind %d pixels", s.Name(), l.Name, l.InSize, l.OutSize, l.Stride, last)
				}
				last = l.OutSize
				if strings.HasPrefix(l.Name, "layers.") && (net == NetC || l.Kind == Conv) {
					sizes = append(sizes, l.OutSize)
				}
			}
			if !slices.Equal(sizes, c.sizes) {
				t.Errorf("%s: outputs of %v pixels, want %v", s.Name(), sizes, c.sizes)
			}
			if !reflect.DeepEqual(s.Params(), DefaultSpec(net).Params()) {
				t.Errorf("%s: other parameters", s.Name())
			}
		}
	}
}

// Net P pools behind the first of each pair, which leaves an image of 32x32 as 4x4; only net P pools.
func TestPooledNet(t *testing.T) {
	type shape struct{ in, out, size, pool int }
	var got []shape
	s := DefaultSpec(NetP)
	s.Width = 0.5
	for _, l := range s.Layers() {
		got = append(got, shape{l.In, l.Out, l.InSize, l.Pool})
		if l.Stride != 1 || l.InSize != l.OutSize {
			t.Errorf("%s: stride %d", l.Name, l.Stride)
		}
	}
	want := []shape{{3, 32, 32, 1}, {32, 32, 32, 2}, {32, 32, 16, 1}, {32, 128, 16, 2}, {128, 128, 8, 1}, {128, 128, 8, 2}, {128, 128, 4, 1}, {128, 10, 1, 1}}
	if !slices.Equal(got, want) {
		t.Errorf("channels in, out, pixels, pooling:\n%v, want\n%v", got, want)
	}
	for _, net := range []Net{NetC, NetD} {
		for _, l := range DefaultSpec(net).Layers() {
			if l.Pool != 1 {
				t.Errorf("net %s, %s pools", net, l.Name)
			}
		}
	}
}

func TestSpecCheck(t *testing.T) {
	for _, bad := range []func(*Spec){
		func(s *Spec) { s.Net, s.OutputStride = NetP, 4 },
		func(s *Spec) { s.Net = "E" },
		func(s *Spec) { s.Width = 0 },
		func(s *Spec) { s.Width = 0.001 },
		func(s *Spec) { s.Width = 17 },
		func(s *Spec) { s.Padding = "valid" },
		func(s *Spec) { s.Classes = 1 },
		func(s *Spec) { s.Size = 30 },
		func(s *Spec) { s.OutputStride = 16 }, // which is written as none, so that equal nets have equal specs
		func(s *Spec) { s.OutputStride = 1 },
		func(s *Spec) { s.OutputStride = -8 },
	} {
		s := DefaultSpec(NetD)
		bad(&s)
		if s.Check() == nil {
			t.Errorf("%+v passes", s)
		}
	}
}
