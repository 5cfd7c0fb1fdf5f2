package devices

import "context"

// Kind is what a Device computes on.
type Kind string

const (
	CPU Kind = "cpu"
	GPU Kind = "gpu"
	TPU Kind = "tpu"
	Any Kind = "any" // what it computes on is not known before it is loaded
)

// Device is one way of running a model, or of training one: a runtime's delegate, a training backend.
type Device struct {
	Name      string `json:"name"` // what a flag calls it: "xnnpack"
	Kind      Kind   `json:"kind"`
	Available bool   `json:"available"`
	Reason    string `json:"reason"`  // why it is not available; "" if it is
	Version   string `json:"version"` // of what computes; "" if unknown
}

// Prober knows some devices: those a runtime offers, or would offer were it there.
type Prober interface {
	Devices() []Device
}

// Absent is a Prober whose devices this binary or host lacks, for a reason.
type Absent struct {
	Names  []string
	Kind   Kind
	Reason string
}

func (a Absent) Devices() []Device {
	ds := make([]Device, len(a.Names))
	for i, name := range a.Names {
		ds[i] = Device{Name: name, Kind: a.Kind, Reason: a.Reason}
	}
	return ds
}

// Report is the host and all devices, available ones and others.
type Report struct {
	Host    Host     `json:"host"`
	Devices []Device `json:"devices"`
}

// List looks at the host and asks every prober, in order.
func List(ctx context.Context, probers ...Prober) (Report, error) {
	host, err := Probe(ctx)
	if err != nil {
		return Report{}, err
	}
	r := Report{Host: host, Devices: []Device{}}
	for _, p := range probers {
		r.Devices = append(r.Devices, p.Devices()...)
	}
	return r, ctx.Err() // to try a device may take a minute
}
