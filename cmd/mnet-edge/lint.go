package main

import (
	"fmt"
	"io"

	"mnet-edge/graph"
	"mnet-edge/graph/tflite"
	"mnet-edge/infer"
	"mnet-edge/infer/litert"
	"mnet-edge/lint"
	"mnet-edge/report"
)

// lintOf is what each accelerator makes of the model in a file.
func lintOf(b []byte, g *graph.Graph) ([]lint.Verdict, error) {
	computed, err := tflite.ComputedShapes(b)
	if err != nil {
		return nil, err
	}
	return lint.Check(g, computed), nil
}

// printLint writes what each accelerator takes, then the reason of every operator that it does not, or runs slowly.
func printLint(w io.Writer, verdicts []lint.Verdict) {
	fmt.Fprintln(w)
	t := report.NewTable(w, "target", "takes")
	for _, v := range verdicts {
		t.Row(string(v.Target), fmt.Sprintf("%d of %d", v.Taken, v.Total))
	}
	t.Render()
	for _, v := range verdicts {
		for _, f := range v.Findings {
			fmt.Fprintf(w, "%s: %s %s %q: %s\n", v.Target, f.Severity, f.Op, f.Node, f.Reason)
		}
	}
}

// explain gives the nodes that a delegate left to the runtime the reason, where the lint knows it.
func explain(m *openedModel, delegate string, p *infer.Profile) error {
	verdicts, err := lintOf(m.bytes, m.Graph)
	if err != nil {
		return err
	}
	target := lint.Target(delegate)
	if delegate == litert.CPU { // which is XNNPACK too
		target = lint.XNNPACK
	}
	for _, v := range verdicts {
		if v.Target != target {
			continue
		}
		for i, n := range p.Nodes {
			if n.Ran != "" && n.Ran != delegate {
				p.Nodes[i].Reason = v.Refusal(i)
			}
		}
	}
	return nil
}
