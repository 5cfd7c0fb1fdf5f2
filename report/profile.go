package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"mnet-edge/infer"
)

// profileText writes where the time of a call goes: node by node, then by kind of operator.
func profileText(w io.Writer, p infer.Profile) {
	n := NewTable(w, "node", "operator", "µs", "share %", "ran on", "kernel")
	for _, node := range p.Nodes {
		n.Row(node.Name, node.Op, usText(node.US), fmt.Sprintf("%.1f", 100*node.Share), cmp.Or(node.Ran, "?"), node.Kernel)
	}
	n.words(2, 5, 6)
	n.Render()
	fmt.Fprintln(w)
	kindsText(w, p)
	for _, node := range p.Nodes {
		if node.Reason != "" {
			fmt.Fprintf(w, "%s: not in the delegate: %s\n", node.Name, node.Reason)
		}
	}
}

// kindsText is the profile in short.
func kindsText(w io.Writer, p infer.Profile) {
	t := NewTable(w, "operator", "nodes", "µs", "share %")
	for _, k := range kinds(p) {
		t.Row(k.op, k.nodes, usText(k.us), fmt.Sprintf("%.1f", 100*k.share))
	}
	t.Render()
	fmt.Fprintln(w, profileSource(p))
}

func profileSource(p infer.Profile) string {
	if p.Source == infer.SourceSplit {
		return fmt.Sprintf("%.0f µs a call, the median of %d, divided as the reference interpreter divides its own: the runtime does not say", p.CallUS, p.Calls)
	}
	s := fmt.Sprintf("%.1f µs a call while watched, %.1f of them in no node; interquartile means of %d calls", p.CallUS, p.RestUS, p.Calls)
	if p.StepUS > 0 {
		s += fmt.Sprintf("; the delegate counts in steps of %g µs and cuts off the rest", p.StepUS)
	}
	return s
}

// kind is all nodes with one operator.
type kind struct {
	op    string
	nodes int
	us    float64
	share float64
}

// kinds are the profile's, the costliest first.
func kinds(p infer.Profile) []kind {
	var ks []kind
	for _, n := range p.Nodes {
		i := slices.IndexFunc(ks, func(k kind) bool { return k.op == n.Op })
		if i < 0 {
			i, ks = len(ks), append(ks, kind{op: n.Op})
		}
		ks[i].nodes++
		ks[i].us += n.US
		ks[i].share += n.Share
	}
	slices.SortStableFunc(ks, func(a, b kind) int { return cmp.Compare(b.us, a.us) })
	return ks
}
