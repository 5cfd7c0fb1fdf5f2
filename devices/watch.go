package devices

import (
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Conditions are what a machine was like while something was measured on it. Zero fields are unknown.
type Conditions struct {
	Samples      int      `json:"samples"`
	Load         Extremes `json:"load"`          // processes that ran or wanted to, over the last minute
	FreqMHz      Extremes `json:"freq_mhz"`      // of CPU 0
	TemperatureC Extremes `json:"temperature_c"` // of the first thermal zone
	Governor     string   `json:"governor"`      // of CPU 0's frequency
	Throttled    []string `json:"throttled"`     // why the processor was held back, if it was; else empty
}

// Extremes are the smallest and the largest of several samples.
type Extremes struct {
	Min float64 `json:"min"`
	Max float64 `json:"max"`
}

// Where Linux has what a Host and Conditions are made of.
const (
	cpuFreq      = "sys/devices/system/cpu/cpu0/cpufreq/"
	thermalZone  = "sys/class/thermal/thermal_zone0/temp"
	cpuThrottles = "sys/devices/system/cpu/cpu0/thermal_throttle/"
)

// piThrottled is where a Raspberry Pi's firmware tells its get_throttled; "soc" is called by its address in some device trees.
const piThrottled = "sys/devices/platform/soc*/soc*:firmware/get_throttled"

// throttledFile is the file that piThrottled names under a root; "" where there is none.
func throttledFile(root fs.FS) string {
	found, err := fs.Glob(root, piThrottled)
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[0]
}

// piBits are what a Raspberry Pi's firmware says in get_throttled: now, and 16 bits higher, since it was started.
var piBits = []string{"low voltage", "frequency capped", "throttled", "near the temperature limit"}

// Watcher samples the machine until it is stopped.
type Watcher struct {
	root  fs.FS
	pi    string // throttledFile
	group string // groupStat
	mu    sync.Mutex
	c     Conditions
	known map[*Extremes]bool // those that there was a value of
	first counters           // as each was when it was first known
	stop  chan struct{}
	done  chan struct{}
}

// counters are what only means something by its growth.
type counters struct {
	pi       uint64            // get_throttled
	knowsPi  bool              // whether it could be read
	throttle map[string]uint64 // of being held back, by the reason: an x86 processor's, and a control group's
}

// Watch samples the machine now, then every so often until Stop. Off Linux nothing is known.
func Watch(every time.Duration) *Watcher {
	var root fs.FS
	if runtime.GOOS == "linux" {
		root = os.DirFS("/")
	}
	return watch(root, every)
}

func watch(root fs.FS, every time.Duration) *Watcher {
	w := &Watcher{root: root, known: map[*Extremes]bool{}, stop: make(chan struct{}), done: make(chan struct{})}
	w.c.Throttled = []string{}
	if root == nil {
		close(w.done)
		return w
	}
	w.pi, w.group = throttledFile(root), groupStat(root)
	w.first = w.read()
	w.sample()
	go func() {
		defer close(w.done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.sample()
			case <-w.stop:
				return
			}
		}
	}()
	return w
}

// Stop samples once more and returns what there was. It is called once.
func (w *Watcher) Stop() Conditions {
	close(w.stop)
	<-w.done
	if w.root != nil {
		w.sample()
	}
	return w.c
}

func (w *Watcher) sample() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.c.Samples++
	if load, _, ok := strings.Cut(text(w.root, "proc/loadavg"), " "); ok {
		if v, err := strconv.ParseFloat(load, 64); err == nil {
			w.add(&w.c.Load, v)
		}
	}
	for _, f := range []struct {
		file string
		to   *Extremes
	}{{cpuFreq + "scaling_cur_freq", &w.c.FreqMHz}, {thermalZone, &w.c.TemperatureC}} {
		if v, ok := thousandths(w.root, f.file); ok {
			w.add(f.to, v)
		}
	}
	w.c.Governor = text(w.root, cpuFreq+"scaling_governor")
	now := w.read()
	if now.knowsPi {
		if !w.first.knowsPi {
			w.first.pi, w.first.knowsPi = now.pi, true
		}
		for bit, why := range piBits {
			// Held back at this moment, or at some moment since the first sample or since the kernel last forgot.
			if now.pi>>bit&1 == 1 || now.pi>>(16+bit)&1 > w.first.pi>>(16+bit)&1 {
				w.throttled(why)
			}
		}
		w.first.pi &= now.pi
	}
	for name, n := range now.throttle {
		if was, known := w.first.throttle[name]; !known {
			w.first.throttle[name] = n
		} else if n > was {
			w.throttled(name)
		}
	}
}

func (w *Watcher) add(e *Extremes, v float64) {
	if !w.known[e] {
		w.known[e], *e = true, Extremes{v, v}
	}
	e.Min, e.Max = min(e.Min, v), max(e.Max, v)
}

func (w *Watcher) throttled(why string) {
	if !slices.Contains(w.c.Throttled, why) {
		w.c.Throttled = append(w.c.Throttled, why)
	}
}

func (w *Watcher) read() counters {
	c := counters{throttle: map[string]uint64{}}
	c.pi, c.knowsPi = throttleBits(w.root, w.pi)
	for _, of := range []string{"core", "package"} {
		if n, err := strconv.ParseUint(text(w.root, cpuThrottles+of+"_throttle_count"), 10, 64); err == nil {
			c.throttle["throttled by its temperature ("+of+")"] = n
		}
	}
	for line := range strings.Lines(text(w.root, w.group)) {
		if count, ok := strings.CutPrefix(line, "nr_throttled "); ok {
			if n, err := strconv.ParseUint(strings.TrimSpace(count), 10, 64); err == nil {
				c.throttle["its control group's share of processor time was used up"] = n
			}
		}
	}
	return c
}

// groupStat is the file of this process's control group that says how often it had to wait, in the one tree of groups that Linux has by now.
func groupStat(root fs.FS) string {
	const groups, stat = "sys/fs/cgroup", "cpu.stat"
	for line := range strings.Lines(text(root, "proc/self/cgroup")) {
		if own, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return path.Join(groups, own, stat)
		}
	}
	return ""
}
