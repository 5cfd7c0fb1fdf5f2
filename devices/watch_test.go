package devices

import (
	"reflect"
	"testing"
	"testing/fstest"
	"time"
)

// machine is a file tree as Linux has it, in which a test changes a file between two samples.
type machine struct{ fstest.MapFS }

func (m machine) set(name, text string) { m.MapFS[name] = &fstest.MapFile{Data: []byte(text + "\n")} }

// pi4Throttled is the file as a Raspberry Pi 4 has it.
const pi4Throttled = "sys/devices/platform/soc/soc:firmware/get_throttled"

func newMachine() machine {
	m := machine{fstest.MapFS{}}
	m.set("proc/loadavg", "0.50 0.40 0.30 1/200 4000")
	m.set(cpuFreq+"scaling_cur_freq", "1800000")
	m.set(cpuFreq+"scaling_governor", "ondemand")
	m.set(thermalZone, "48686")
	return m
}

// What a recorded machine does between the first and the last sample, and what is made of it.
func TestWatch(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(m machine)
		after  func(m machine)
		want   []string
	}{
		{"a calm Pi", func(m machine) { m.set(pi4Throttled, "0") }, func(m machine) {}, nil},
		{"a Pi that was held back once, long ago", func(m machine) { m.set(pi4Throttled, "50000") }, func(m machine) {}, nil},
		{"a Pi on a weak supply", func(m machine) { m.set(pi4Throttled, "0") }, func(m machine) { m.set(pi4Throttled, "50005") }, []string{"low voltage", "throttled"}},
		{"a Pi held back between two samples", func(m machine) { m.set(pi4Throttled, "0") }, func(m machine) { m.set(pi4Throttled, "80000") }, []string{"near the temperature limit"}},
		{"a Pi held back from the start", func(m machine) { m.set(pi4Throttled, "0x20002") }, func(m machine) {}, []string{"frequency capped"}},
		{"a hot laptop", func(m machine) { m.set(cpuThrottles+"core_throttle_count", "7") }, func(m machine) { m.set(cpuThrottles+"core_throttle_count", "9") },
			[]string{"throttled by its temperature (core)"}},
		{"a container out of its share", func(m machine) {
			m.set("proc/self/cgroup", "0::/box")
			m.set("sys/fs/cgroup/box/cpu.stat", "usage_usec 900\nnr_throttled 4\nthrottled_usec 70")
		}, func(m machine) {
			m.set("sys/fs/cgroup/box/cpu.stat", "usage_usec 1900\nnr_throttled 5\nthrottled_usec 90")
		},
			[]string{"its control group's share of processor time was used up"}},
		{"a laptop hot last week", func(m machine) { m.set(cpuThrottles+"package_throttle_count", "7") }, func(m machine) {}, nil},
	} {
		m := newMachine()
		c.before(m)
		w := watch(m, time.Hour) // the first sample and the last one, and none that would race with the test
		m.set("proc/loadavg", "2.25 1.00 0.30 3/200 4001")
		m.set(cpuFreq+"scaling_cur_freq", "600000")
		m.set(thermalZone, "81250")
		c.after(m)
		got := w.Stop()
		want := Conditions{Samples: 2, Load: Extremes{0.5, 2.25}, FreqMHz: Extremes{600, 1800}, TemperatureC: Extremes{48.686, 81.25},
			Governor: "ondemand", Throttled: append([]string{}, c.want...)}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, want)
		}
	}
}

// What a kernel remembers for a while alone, since another reader asks the firmware to forget it, is seen when it comes again.
func TestWatchForgetful(t *testing.T) {
	m := newMachine()
	m.set(pi4Throttled, "10000")
	w := watch(m, time.Hour)
	for _, bits := range []string{"0", "10000"} {
		m.set(pi4Throttled, bits)
		w.sample()
	}
	if got := w.Stop().Throttled; !reflect.DeepEqual(got, []string{"low voltage"}) {
		t.Errorf("%q", got)
	}

	w = watch(m, time.Hour)
	for _, bits := range []string{"", "10000"} { // it could not be read for once
		m.set(pi4Throttled, bits)
		w.sample()
	}
	if got := w.Stop().Throttled; len(got) > 0 {
		t.Errorf("%q", got)
	}

	m.set(pi4Throttled, "") // nor when it was to be read first
	w = watch(m, time.Hour)
	m.set(pi4Throttled, "10000")
	m.set(cpuThrottles+"core_throttle_count", "7")
	if got := w.Stop().Throttled; len(got) > 0 {
		t.Errorf("%q", got)
	}
}

// A figure that begins to be known in the middle begins there.
func TestWatchLate(t *testing.T) {
	m := newMachine()
	delete(m.MapFS, thermalZone)
	w := watch(m, time.Hour)
	m.set(thermalZone, "50000")
	if got := w.Stop().TemperatureC; got != (Extremes{50, 50}) {
		t.Errorf("%v", got)
	}
}

// Where nothing is known, nothing is said; and the watcher samples by itself.
func TestWatchUnknown(t *testing.T) {
	for _, w := range []*Watcher{watch(nil, time.Hour), watch(fstest.MapFS{}, time.Millisecond)} {
		deadline := time.Now().Add(10 * time.Second)
		for w.root != nil && time.Now().Before(deadline) {
			w.mu.Lock()
			n := w.c.Samples
			w.mu.Unlock()
			if n >= 3 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		got := w.Stop()
		if w.root != nil && got.Samples < 4 {
			t.Errorf("%d samples", got.Samples)
		}
		got.Samples = 0
		if !reflect.DeepEqual(got, Conditions{Throttled: []string{}}) {
			t.Errorf("%+v", got)
		}
	}
}
