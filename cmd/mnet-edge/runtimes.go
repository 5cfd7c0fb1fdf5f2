package main

import (
	"slices"

	"mnet-edge/devices"
	"mnet-edge/infer"
	"mnet-edge/infer/litert"
	"mnet-edge/infer/native"
	"mnet-edge/quant"
)

// reference is the runtime every binary has.
var reference = infer.NewReference(quant.Double)

// runtimes are those of this binary, the preferred one first. The native engine goes before TFLite where it has kernels
// for this processor, and behind it where only its portable ones would run.
func runtimes() []infer.Runtime {
	engine := native.New(native.Options{})
	var rs []infer.Runtime
	if tflite := tfliteRuntime(); tflite != nil {
		rs = append(rs, tflite)
	}
	rs = append(rs, litert.New())
	if fastest := native.Families()[0]; fastest != native.Portable {
		rs = slices.Insert(rs, 0, engine)
	} else {
		rs = append(rs, engine)
	}
	return append(rs, reference)
}

// probers know everything that devices lists, available or not.
func probers() []devices.Prober {
	var ps []devices.Prober
	if tfliteRuntime() == nil {
		const reason = "this binary was built without the TFLite library: make native build"
		ps = append(ps, devices.Absent{Names: []string{"xnnpack", infer.NoDelegate}, Kind: devices.CPU, Reason: reason},
			devices.Absent{Names: []string{"edgetpu"}, Kind: devices.TPU, Reason: reason},
			devices.Absent{Names: []string{"tflite-gpu"}, Kind: devices.GPU, Reason: reason},
			devices.Absent{Names: []string{"external"}, Kind: devices.Any, Reason: reason})
	}
	for _, r := range runtimes() {
		ps = append(ps, r)
	}
	return append(ps, trainingBackends{})
}
