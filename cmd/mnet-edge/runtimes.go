package main

import (
	"mnet-edge/devices"
	"mnet-edge/infer"
	"mnet-edge/quant"
)

// reference is the runtime every binary has.
var reference = infer.NewReference(quant.Double)

// runtimes are those of this binary, the preferred one first.
func runtimes() []infer.Runtime {
	if tflite := tfliteRuntime(); tflite != nil {
		return []infer.Runtime{tflite, reference}
	}
	return []infer.Runtime{reference}
}

// probers know everything that devices lists, available or not.
func probers() []devices.Prober {
	var ps []devices.Prober
	if tfliteRuntime() == nil {
		ps = append(ps, devices.Absent{Names: []string{"xnnpack", "none"}, Kind: devices.CPU,
			Reason: "this binary was built without the TFLite library: make native build"})
	}
	for _, r := range runtimes() {
		ps = append(ps, r)
	}
	return append(ps, trainingBackends{})
}
