package report

import (
	"encoding/json"
	"strings"
	"testing"

	"mnet-edge/devices"
	"mnet-edge/infer"
)

var (
	ran = Runtime{Name: "tflite", Version: "2.20.0", Requested: "auto",
		Placement: infer.Placement{Delegate: "xnnpack", DelegatedNodes: 29, TotalNodes: 29, Partitions: 1}, Threads: 1}
	latency  = infer.Latency{Count: 1024, First: 140, P50: 48.4, P90: 60, P99: 99.6, Mean: 50, StdDev: 3, Min: 47, Max: 120, Warmup: infer.Warmup{Calls: 840, Stable: true}}
	around   = infer.Around{Preprocess: 5.25, Postprocess: 0.75}
	accuracy = infer.NewAccuracy(721, 1000)
)

func TestInferText(t *testing.T) {
	const want = `photo.png  (48 µs)
 73.46 %  dog
 12.09 %  class 3

model    int8.tflite
ran on   tflite (2.20.0), xnnpack 29/29, 1 thread
top-1    72.10 %  [69.24, 74.79]  of 1000
latency  p50 48.4  p90 60.0  p99 99.6  first 140 µs  (1024 calls)
init     1980 µs
`
	r := Infer{Model: "int8.tflite", Runtime: ran, Accuracy: &accuracy, Latency: latency, InitUS: 1980.4,
		Results: []Result{{Image: "photo.png", LatencyUS: 48.4, Top: []infer.Prediction{{Label: "dog", Index: 5, Probability: 0.7346}, {Index: 3, Probability: 0.1209}}}}}
	var b strings.Builder
	r.Text(&b)
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// Few calls are an impression, and a warm-up that did not end by itself is told where the figures are many; what the machine
// was like stands beside figures that may be quoted.
func TestInferTextConditions(t *testing.T) {
	r := Infer{Model: "m", Runtime: ran, Latency: latency, Around: infer.Around{Decode: 1203.2, Preprocess: 12.25, Postprocess: 3},
		Host: "a host", Conditions: &devices.Conditions{Load: devices.Extremes{Min: 0.5, Max: 2}, Throttled: []string{"low voltage"}}}
	few := latency
	few.Count, few.Warmup = 10, infer.Warmup{Calls: 10}
	restless := latency
	restless.Warmup.Stable = false
	for _, c := range []struct {
		latency infer.Latency
		want    string
	}{
		{latency, "(1024 calls)\n"}, {few, "(10 calls, an impression)\n"}, {restless, "(1024 calls, not stable before)\n"},
	} {
		r.Latency = c.latency
		var b strings.Builder
		r.Text(&b)
		for _, want := range []string{c.want, "\nbesides  decode 1203  preprocess 12.2  postprocess 3.00 µs an image\n",
			"\nmachine  a host\n         while measuring: load 0.5 to 2.0, held back: low voltage\n"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("got\n%s\nwant %q", b.String(), want)
			}
		}
	}
}

// Who would have been preferred, and why it did not run the model, is said in words and in JSON.
func TestInferPassedOver(t *testing.T) {
	r := Infer{Model: "float32.tflite", Runtime: ran, Latency: latency}
	r.Runtime.PassedOver = []string{`native: conv2d "conv1": not available: float32`}
	var text strings.Builder
	r.Text(&text)
	if want := "\nnot on   native: conv2d \"conv1\": not available: float32\n"; !strings.Contains(text.String(), want) {
		t.Errorf("got\n%s\nwant a line %q", text.String(), want)
	}
	b, err := json.Marshal(r)
	if want := `"threads":1,"passed_over":["native: conv2d \"conv1\": not available: float32"]}`; err != nil || !strings.Contains(string(b), want) {
		t.Errorf("got %s, error %v, want %s", b, err, want)
	}
}

func TestDevicesText(t *testing.T) {
	r := devices.Report{Host: devices.Host{OS: "linux", Arch: "arm64", Board: "Raspberry Pi 5 Model B Rev 1.0", UsableCPUs: 4, Threads: 4, Cores: 4, MemoryBytes: 8 << 30},
		Devices: []devices.Device{{Name: "xnnpack", Kind: devices.CPU, Available: true, Version: "2.20.0"}, {Name: "gpu", Kind: devices.GPU, Reason: "no library"}}}
	const want = `board       Raspberry Pi 5 Model B Rev 1.0
processors  4 usable of 4, 4 cores
memory      8.0 GiB
system      linux/arm64

device   kind  available  version or reason
─────────────────────────────────────────────
xnnpack  cpu   yes        2.20.0
gpu      gpu   no         no library
`
	var s strings.Builder
	Devices(&s, r)
	if s.String() != want {
		t.Errorf("got\n%s\nwant\n%s", s.String(), want)
	}
}

// A board says what it is, how warm, and why it is held back; where nothing holds it back, nothing is said.
func TestDevicesTextOfABoard(t *testing.T) {
	h := devices.Host{OS: "linux", Arch: "arm64", Distribution: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.6.31+rpt-rpi-v8", Board: "Raspberry Pi 4 Model B Rev 1.4",
		CPU: "ARM Cortex-A72", UsableCPUs: 4, Threads: 4, Cores: 4, SIMD: []string{"asimd"}, MemoryBytes: 4 << 30, Governor: "ondemand", TemperatureC: 81.25,
		Throttled: []string{"low voltage", "near the temperature limit, earlier"}}
	const want = `board        Raspberry Pi 4 Model B Rev 1.4
cpu          ARM Cortex-A72
processors   4 usable of 4, 4 cores
simd         asimd
memory       4.0 GiB
system       Debian GNU/Linux 12 (bookworm) linux/arm64 6.6.31+rpt-rpi-v8
governor     ondemand
temperature  81 °C
throttled    low voltage; near the temperature limit, earlier
`
	var s strings.Builder
	Devices(&s, devices.Report{Host: h})
	if !strings.HasPrefix(s.String(), want+"\n") {
		t.Errorf("got\n%s\nwant\n%s", s.String(), want)
	}
	h.Throttled = []string{}
	s.Reset()
	Devices(&s, devices.Report{Host: h})
	if strings.Contains(s.String(), "throttled") {
		t.Errorf("a calm board:\n%s", s.String())
	}
}

// The field names are a contract with scripts.
func TestInferJSON(t *testing.T) {
	b, err := json.Marshal(Infer{Model: "m", Runtime: ran, Accuracy: &accuracy, Latency: latency, InitUS: 1})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"model":"m","runtime":{"name":"tflite","version":"2.20.0","delegate_requested":"auto","delegate_actual":"xnnpack","delegated_nodes":29,"total_nodes":29,"partitions":1,"threads":1},` +
		`"accuracy":{"top1":0.721,"ci95":[0.6923`
	if !strings.HasPrefix(string(b), want) {
		t.Errorf("got %s\nwant %s…", b, want)
	}
}
