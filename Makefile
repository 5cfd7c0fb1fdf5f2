# Everything a person types. `make help` lists the targets.

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
GO          ?= go
GOOS        := $(shell $(GO) env GOOS)
GOARCH      := $(shell $(GO) env GOARCH)
NATIVE      := native/$(GOOS)-$(GOARCH)
TAGS        :=
export GOFLAGS := -buildvcs=false

# A CIFAR-10 archive lying beside the project is passed on to the tests that want it; elsewhere they skip.
MNET_CIFAR10 ?= $(wildcard $(CURDIR)/../shared/data/cifar10-images.zip)
export MNET_CIFAR10

# With the TFLite library fetched, the binary and the tests are built against it.
LIBTFLITE := $(NATIVE)/libtensorflowlite_c.so
define with_native
if [ -e "$(LIBTFLITE)" ]; then \
  export CGO_ENABLED=1 CGO_CFLAGS="-O2 -I$(CURDIR)/native/include" \
    CGO_LDFLAGS="-L$(CURDIR)/$(NATIVE) -Wl,-rpath,$(RPATH)" tags=tflite; \
else export tags=; fi;
endef

.PHONY: help demo build native test race lint fmt bench bench-train vectors clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## the main job: train, convert to int8, measure; under 10 minutes
	@bash bench/demo.sh bin/mnet-edge

native: ## fetch the TFLite and XLA libraries (pinned, checked); seconds when they are there
	@bash native/fetch.sh native

build: native ## bin/mnet-edge with what it needs beside it
	@mkdir -p bin
	@$(call with_native) $(GO) build -tags "$$tags" -o bin/mnet-edge ./cmd/mnet-edge
	@for f in $(NATIVE)/*.so; do [ -e "$$f" ] && cp -u "$$f" bin/; done; true
	@echo "built bin/mnet-edge"

build test race bench: RPATH = '$$$$ORIGIN:$(CURDIR)/$(NATIVE)'

test: native ## every test, with and without cgo, and the gates of lint
	CGO_ENABLED=0 $(GO) build ./...
	@$(call with_native) set -x; $(GO) test -tags "$$tags" ./...
	$(MAKE) --no-print-directory lint

race: native ## the tests of what is shared between goroutines, under the race detector
	@$(call with_native) $(GO) test -race -tags "$$tags" ./dataset ./graph/... ./convert ./infer/... ./model

lint: ## gofmt, go vet, staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run make fmt"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

fmt: ## format the Go code
	gofmt -w .

clean: ## remove what was built (what was fetched stays in native/)
	rm -rf bin
