package report

import (
	"fmt"
	"io"

	"mnet-edge/devices"
	"mnet-edge/infer"
)

// Runtime says what ran a model.
type Runtime struct {
	Name      string `json:"name"`
	Version   string `json:"version"`
	Requested string `json:"delegate_requested"`
	infer.Placement
	Threads int `json:"threads"`

	// PassedOver is why the runtimes that would have been preferred, or were asked for, did not run the model, a line each.
	PassedOver []string `json:"passed_over,omitempty"`
	// LeftOut are the operators at the model's end that did not run, since nothing here knows what they or what they depend on compute.
	LeftOut []string `json:"left_out,omitempty"`
	// Verified holds the answers of a delegate loaded at run time to those of our own.
	Verified *infer.Agreement `json:"verified,omitempty"`
}

// Where is the placement in words: "xnnpack 29/29", "none". A delegate that computes something else is marked.
func (r Runtime) Where() string {
	where := r.Delegate
	if r.DelegatedNodes > 0 {
		where = fmt.Sprintf("%s %d/%d", r.Delegate, r.DelegatedNodes, r.TotalNodes)
	}
	if n := len(r.LeftOut); n > 0 {
		where += fmt.Sprintf(", without the last %d operators", n)
	}
	if v := r.Verified; v != nil && !v.Trusted() {
		where += fmt.Sprintf(" WRONG (%d of %d inputs)", v.SameTop1, v.Inputs)
	}
	return where
}

// Infer is what a model says about images, or how well it does on a set of them.
type Infer struct {
	Model    string          `json:"model"`
	Runtime  Runtime         `json:"runtime"`
	Results  []Result        `json:"results,omitempty"`
	Accuracy *infer.Accuracy `json:"accuracy,omitempty"`
	Latency  infer.Latency   `json:"latency_us"` // of Invoke alone
	Around   infer.Around    `json:"around_us"`  // what an image takes besides
	InitUS   float64         `json:"init_us"`    // from the model's bytes to a session ready to run
	Profile  *infer.Profile  `json:"profile,omitempty"`

	Host       string              `json:"host,omitempty"`       // CPU model and cores, where the figures may be quoted
	Conditions *devices.Conditions `json:"conditions,omitempty"` // while it ran, likewise
}

// Result is the answer for one image.
type Result struct {
	Image        string             `json:"image"`
	InputSHA256  string             `json:"input_sha256"` // of the input tensor's bytes
	Top          []infer.Prediction `json:"top"`
	LatencyUS    float64            `json:"latency_us"`    // of the one call that gave the answer
	OutputSHA256 string             `json:"output_sha256"` // of the output tensor's bytes: the same where two machines agree bit for bit
}

// Text writes the report for a person.
func (r Infer) Text(w io.Writer) {
	for _, res := range r.Results {
		fmt.Fprintf(w, "%s  (%.0f µs)\n", res.Image, res.LatencyUS)
		t := NewTable(w)
		for _, p := range res.Top {
			t.Row(fmt.Sprintf("%6.2f %%", 100*p.Probability), labelOrIndex(p))
		}
		t.Render()
		fmt.Fprintln(w)
	}
	t := NewTable(w)
	t.Row("model", r.Model)
	t.Row("ran on", fmt.Sprintf("%s (%s), %s, %s", r.Runtime.Name, r.Runtime.Version, r.Runtime.Where(), plural(r.Runtime.Threads, "thread")))
	for _, reason := range r.Runtime.PassedOver {
		t.Row("not on", reason)
	}
	if r.Accuracy != nil {
		t.Row("top-1", accuracyText(*r.Accuracy))
	}
	l := r.Latency
	t.Row("latency", fmt.Sprintf("p50 %s  p90 %s  p99 %s  first %s µs  (%s)", usText(l.P50), usText(l.P90), usText(l.P99), usText(l.First), callsText(l)))
	if r.Around != (infer.Around{}) {
		t.Row("besides", aroundText(r.Around))
	}
	t.Row("init", fmt.Sprintf("%.0f µs", r.InitUS))
	if r.Conditions != nil {
		t.Row("machine", r.Host)
		t.Row("", conditionsText(*r.Conditions))
	}
	t.Render()
	if r.Profile != nil {
		fmt.Fprintln(w)
		profileText(w, *r.Profile)
	}
}

// callsText is what a latency rests on. Figures of few calls are for an impression, not for quoting.
func callsText(l infer.Latency) string {
	text := plural(l.Count, "call")
	if l.Count < infer.HeadlineCalls {
		text += ", an impression"
	}
	if l.Warmup.Calls > 0 && !l.Warmup.Stable && l.Count >= infer.HeadlineCalls {
		text += ", not stable before"
	}
	return text
}

// aroundText is what an image takes besides the call.
func aroundText(a infer.Around) string {
	text := fmt.Sprintf("preprocess %s  postprocess %s µs an image", usText(a.Preprocess), usText(a.Postprocess))
	if a.Decode > 0 {
		text = fmt.Sprintf("decode %s  ", usText(a.Decode)) + text
	}
	return text
}

func labelOrIndex(p infer.Prediction) string {
	if p.Label == "" {
		return fmt.Sprintf("class %d", p.Index)
	}
	return p.Label
}

func accuracyText(a infer.Accuracy) string {
	return fmt.Sprintf("%.2f %%  [%.2f, %.2f]  of %d", 100*a.Top1, 100*a.CI95[0], 100*a.CI95[1], a.N)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// SizeText is a size for people, in powers of 1000.
func SizeText(bytes int) string {
	switch {
	case bytes < 1000:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 999_950: // 1000.0 KB from there on
		return fmt.Sprintf("%.1f KB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.2f MB", float64(bytes)/1e6)
}

// Convert is what a conversion made, and how much it cost. Accuracies are null where they were not measured.
type Convert struct {
	Input       string         `json:"input"`
	Output      string         `json:"output"`
	Scheme      string         `json:"scheme"`
	SizeBytes   int            `json:"size_bytes"`
	SHA256      string         `json:"sha256"`
	Ops         map[string]int `json:"ops"`
	Tail        []string       `json:"tail,omitempty"` // operators behind those, which stayed as they were
	Calibration any            `json:"calibration"`
	Recipe      any            `json:"recipe"` // as it was followed, every choice made
	Trials      any            `json:"trials"` // on which the recipe's open choices rest
	FloatTop1   *float64       `json:"float_top1"`
	Top1        *float64       `json:"top1"`
	DropPoints  *float64       `json:"drop_points"` // percentage points lost against float
	DropCI95    *[2]float64    `json:"drop_ci95"`   // 95 % interval of DropPoints, from the same images for both
	TestN       int            `json:"test_n"`      // test images that these four are of; 0: answers were not compared
	Layers      any            `json:"layers"`

	Verification *infer.Verification `json:"verification,omitempty"` // where it was asked for
}

// Compare sets what quantization cost, from the same images under the float network and the converted one.
func (r *Convert) Compare(float, converted infer.Evaluation) {
	p := infer.Pair(float.Right, converted.Right)
	drop := 100 * p.Difference()
	r.FloatTop1, r.Top1 = &float.Accuracy.Top1, &converted.Accuracy.Top1
	r.DropPoints, r.DropCI95, r.TestN = &drop, dropCI(p), converted.Accuracy.N
}

// dropCI is the interval of what the second way loses against the first, in points.
func dropCI(p infer.Paired) *[2]float64 {
	lo, hi := p.Interval()
	return &[2]float64{100 * lo, 100 * hi}
}

// dropText is a loss in points with its interval, if there is one: 0.11 [-0.08, 0.30].
func dropText(points float64, ci *[2]float64) string {
	text := fmt.Sprintf("%.2f", noMinusZero(points))
	if ci != nil {
		text += fmt.Sprintf(" [%.2f, %.2f]", noMinusZero(ci[0]), noMinusZero(ci[1]))
	}
	return text
}

// Cost is that in words: 88.04 %, float 88.15 %, points lost 0.11 [-0.08, 0.30], on 10000 test images.
func (r *Convert) Cost() string {
	return fmt.Sprintf("%.2f %%, float %.2f %%, points lost %s, on %s", 100**r.Top1, 100**r.FloatTop1, dropText(*r.DropPoints, r.DropCI95), plural(r.TestN, "test image"))
}
