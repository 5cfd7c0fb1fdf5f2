// Package lint says of every operator of a model which accelerators refuse it, or run it slowly, and why.
//
//	Check     a graph against every rule: a Verdict for each Target, with its Findings
//	Rules     the table of rules, each with the document it comes from
//	XNNPACK   TensorFlow Lite's CPU delegate: the rules are held to what it really takes, on every test model
//	EdgeTPU   Coral's: its compiler takes the operators up to the first it refuses, and nothing behind
//	EthosU    Arm's Ethos-U55 and U65 by their compiler, Vela: what it refuses runs on the CPU
//
// A finding refuses an operator, or only warns that it is slow. What has no finding against it is taken. The package looks
// at the graph alone: no library, no device.
package lint

import (
	"fmt"
	"slices"

	"mnet-edge/graph"
)

// Target is what is to run the model.
type Target string

const (
	XNNPACK Target = "xnnpack"
	EdgeTPU Target = "edgetpu"
	EthosU  Target = "ethos-u"
)

// Targets are all of them.
var Targets = []Target{XNNPACK, EdgeTPU, EthosU}

// Severity is what a finding means.
type Severity string

const (
	Refused Severity = "refused" // the operator runs elsewhere: on the CPU, in the runtime's own kernels
	Slow    Severity = "slow"    // it runs, at less than the target's speed
)

// Finding is a rule that an operator breaks.
type Finding struct {
	Number   int      `json:"number"` // of the operator in the graph, from 0
	Node     string   `json:"node"`   // the name of the value it computes, which others may have too
	Op       string   `json:"op"`     // graph.Op.Name
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"` // Rule.ID
	Reason   string   `json:"reason"`
}

// Verdict is what a target makes of a model.
type Verdict struct {
	Target   Target    `json:"target"`
	Taken    int       `json:"taken"` // operators
	Total    int       `json:"total"`
	Findings []Finding `json:"findings"` // in the model's order; an operator may have several
}

// Rule is something that a target asks of an operator.
type Rule struct {
	ID       string   `json:"id"`
	Target   Target   `json:"target"`
	Severity Severity `json:"severity"`
	What     string   `json:"what"`   // is asked
	Source   string   `json:"source"` // where that is written

	ops   []string // graph.Op.Names it is about, or ofComputed; nil is all
	check func(n *graph.Node) string
}

// ofComputed is for rules about nodes whose result's shape is computed.
var ofComputed = []string{"computed shape"}

var rules = slices.Concat(xnnpackRules, []Rule{xnnpackUnread, xnnpackTransposeImage, xnnpackSumScale}, edgeTPURules, []Rule{edgeTPUBehind}, ethosURules)

// Rules are all rules, target by target.
func Rules() []Rule { return slices.Clone(rules) }

// Check holds a graph to the rules of every target. The graph is at level Quantized or Folded, as one that was read from a
// file is; computed are the nodes that tflite.ComputedShapes has for that file.
func Check(g *graph.Graph, computed []int) []Verdict {
	var vs []Verdict
	for _, t := range Targets {
		vs = append(vs, check(g, computed, t))
	}
	return vs
}

func check(g *graph.Graph, computed []int, t Target) Verdict {
	v := Verdict{Target: t, Total: len(g.Nodes), Findings: []Finding{}}
	if t == XNNPACK {
		if r, reason := whole(g, computed); reason != "" {
			for i, n := range g.Nodes {
				v.Findings = append(v.Findings, finding(i, n, r, reason))
			}
			return v
		}
	}
	var first *graph.Node // that was refused
	for i, n := range g.Nodes {
		fs := findings(i, n, slices.Contains(computed, i), t)
		refused := slices.ContainsFunc(fs, func(f Finding) bool { return f.Severity == Refused })
		switch {
		case refused && first == nil && !inFront(g, n):
			first = n
		case !refused && t == EdgeTPU && first != nil:
			fs = append(fs, finding(i, n, edgeTPUBehind, fmt.Sprintf("it comes after %s %q, which is refused", first.Op.Name(), first.Out.Name)))
			refused = true
		}
		if !refused {
			v.Taken++
		}
		v.Findings = append(v.Findings, fs...)
	}
	return v
}

func finding(number int, n *graph.Node, r Rule, reason string) Finding {
	return Finding{number, n.Out.Name, n.Op.Name(), r.Severity, r.ID, reason}
}

// inFront says whether a node is a QUANTIZE of a float32 input of the network: the compilers leave it to the CPU, and begin behind it.
func inFront(g *graph.Graph, n *graph.Node) bool {
	return quantizesFloat(n) && slices.Contains(g.Inputs, n.In[0])
}

func quantizesFloat(n *graph.Node) bool {
	_, ok := n.Op.(graph.Quantize)
	return ok && n.In[0].Type.DType == graph.Float32
}

// findings are the rules of a target that a node breaks. Of those that refuse it the first is enough.
func findings(number int, n *graph.Node, computed bool, t Target) (fs []Finding) {
	names := []string{n.Op.Name()}
	if computed {
		names = append(names, ofComputed...)
	}
	about := func(r Rule) bool {
		return r.ops == nil || slices.ContainsFunc(names, func(name string) bool { return slices.Contains(r.ops, name) })
	}
	for _, r := range rules {
		if r.Target != t || r.check == nil || !about(r) {
			continue
		}
		reason := r.check(n)
		if reason == "" {
			continue
		}
		f := finding(number, n, r, reason)
		if r.Severity == Refused {
			return []Finding{f}
		}
		fs = append(fs, f)
	}
	return fs
}

// Refusal is why the target does not take operator number of the graph, "" if it does or there is no such operator.
func (v Verdict) Refusal(number int) string {
	for _, f := range v.Findings {
		if f.Number == number && f.Severity == Refused {
			return f.Reason
		}
	}
	return ""
}
