package model

import (
	"fmt"
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

func TestSpecCheck(t *testing.T) {
	for _, bad := range []func(*Spec){
		func(s *Spec) { s.Net = "E" },
		func(s *Spec) { s.Width = 0 },
		func(s *Spec) { s.Width = 0.001 },
		func(s *Spec) { s.Width = 17 },
		func(s *Spec) { s.Padding = "valid" },
		func(s *Spec) { s.Classes = 1 },
		func(s *Spec) { s.Size = 30 },
	} {
		s := DefaultSpec(NetD)
		bad(&s)
		if s.Check() == nil {
			t.Errorf("%+v passes", s)
		}
	}
}
