module mnet-edge

go 1.26.5

// Named by the mission.
require (
	github.com/anthonynsimon/bild v0.14.0 // MIT: resizing of images
	github.com/gomlx/gomlx v0.28.2 // Apache-2.0: building and differentiating the training step
	github.com/tphakala/go-tflite v0.0.0-20241022031318-2dad4328ec9e // MIT: the TensorFlow Lite C library
	github.com/urfave/cli/v2 v2.27.7 // MIT: commands and flags
)

// What GoMLX needs by name.
require (
	github.com/gomlx/compute v0.1.2 // Apache-2.0: GoMLX's backends: the one in pure Go
	github.com/gomlx/go-xla v0.4.1 // Apache-2.0: and XLA's, through a PJRT plugin
	k8s.io/klog/v2 v2.140.0 // Apache-2.0: go-xla logs through it: quietened
)

// LiteRT.
require github.com/ebitengine/purego v0.11.2 // Apache-2.0: calling a library that is found at run time, with no C of our own

// Formats.
require (
	github.com/google/flatbuffers v25.12.19+incompatible // Apache-2.0: writing .tflite files
	golang.org/x/image v0.47.0 // BSD-3-Clause: WebP and BMP; older versions have holes in their decoders
)

// Files that are whole or not there, and runs that do not collide.
require (
	github.com/gofrs/flock v0.13.1 // BSD-3-Clause: the run folder's lock
	github.com/google/renameio/v2 v2.0.2 // Apache-2.0: atomic writes
	github.com/natefinch/atomic v1.0.1 // MIT: atomic writes on Windows, for which renameio has no code
)

// What a person sees.
require (
	github.com/jedib0t/go-pretty/v6 v6.8.3 // MIT: tables
	github.com/schollz/progressbar/v3 v3.19.1 // MIT: progress bars
	golang.org/x/term v0.44.0 // BSD-3-Clause: whether there is a terminal to draw them on
	gonum.org/v1/gonum v0.17.0 // BSD-3-Clause: quantiles, intervals
	gonum.org/v1/plot v0.17.0 // BSD-3-Clause: a run's curves
)

// The machine.
require (
	github.com/klauspost/cpuid/v2 v2.4.2 // MIT: SIMD features where the system does not list them
	github.com/shirou/gopsutil/v4 v4.26.10 // BSD-3-Clause: memory, processors, system
	golang.org/x/sync v0.24.0 // BSD-3-Clause: errgroup, semaphore
	golang.org/x/sys v0.49.0 // BSD-3-Clause: Windows' performance counter
)

// Tests.
require (
	github.com/rogpeppe/go-internal v1.16.0 // BSD-3-Clause: testscript, commands as typed
	golang.org/x/arch v0.32.0 // BSD-3-Clause: a disassembler, against the generator's table of encodings
	google.golang.org/protobuf v1.36.11 // BSD-3-Clause: an independent reading of TensorBoard's events
	pgregory.net/rapid v1.3.0 // MPL-2.0: random cases that shrink
)

require (
	codeberg.org/go-fonts/liberation v0.5.0 // indirect
	codeberg.org/go-latex/latex v0.2.0 // indirect
	codeberg.org/go-pdf/fpdf v0.11.1 // indirect
	git.sr.ht/~sbinet/gg v0.7.0 // indirect
	github.com/BurntSushi/toml v1.5.0 // indirect
	github.com/ajstarks/svgo v0.0.0-20211024235047-1546f124cd8b // indirect
	github.com/clipperhouse/uax29/v2 v2.7.0 // indirect
	github.com/cpuguy83/go-md2man/v2 v2.0.7 // indirect
	github.com/go-logr/logr v1.4.3 // indirect
	github.com/go-ole/go-ole v1.2.6 // indirect
	github.com/golang/freetype v0.0.0-20170609003504-e2365dfdc4a0 // indirect
	github.com/lufia/plan9stats v0.0.0-20211012122336-39d0f177ccd0 // indirect
	github.com/mattn/go-pointer v0.0.1 // indirect
	github.com/mattn/go-runewidth v0.0.21 // indirect
	github.com/mitchellh/colorstring v0.0.0-20190213212951-d06e56a500db // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/power-devops/perfstat v0.0.0-20260805114148-88456608a4f6 // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	github.com/russross/blackfriday/v2 v2.1.0 // indirect
	github.com/tklauser/go-sysconf v0.4.0 // indirect
	github.com/tklauser/numcpus v0.12.0 // indirect
	github.com/xrash/smetrics v0.0.0-20240521201337-686a1a2994c1 // indirect
	github.com/yusufpapurcu/wmi v1.2.4 // indirect
	golang.org/x/exp v0.0.0-20260410095643-746e56fc9e2f // indirect
	golang.org/x/exp/typeparams v0.0.0-20231108232855-2478ac86f678 // indirect
	golang.org/x/mod v0.41.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/tools v0.51.0 // indirect
	honnef.co/go/tools v0.8.2 // indirect
)

tool honnef.co/go/tools/cmd/staticcheck
