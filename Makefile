# The commands of this project. `make demo` and `make test` need nothing set up
# before; everything else they fetch goes into build/, which git ignores.

ARCH := $(shell go env GOARCH)

.PHONY: demo build build-tflite emunpu generate coverage-table faults bench htp-picture htp-size htp-table lint test fuzz cross emulate android clean

## demo: three pictures from three prompts; needs Go and nothing else
demo: build
	@mkdir -p build/demo
	@build/nanoflux generate "a red apple, 3d" -o build/demo/apple.png --quiet
	@build/nanoflux generate "flat picture of a rocket on blue" -o build/demo/rocket.png --quiet
	@build/nanoflux generate "a cat in 3d style" -o build/demo/cat.png --quiet
	@echo "pictures:"
	@ls -1 "$(CURDIR)"/build/demo/*.png

## build: the pure-Go program, build/nanoflux
build:
	@mkdir -p build
	@CGO_ENABLED=0 go build -trimpath -o build/nanoflux ./cmd/nanoflux

## build-tflite: the program with TensorFlow Lite, build/nanoflux-tflite
build-tflite: build/tflite/ready
	@eval "$$(ci/env $(ARCH))" && go build -tags tflite -o build/nanoflux-tflite ./cmd/nanoflux

build/tflite/ready: ci/setup
	ci/setup tflite $(ARCH)
	@touch $@

## emunpu: the emulated NPU, a delegate plugin in C, for linux/amd64 and linux/arm64
emunpu:
	ci/emunpu

## generate: remake every generated file
generate:
	go generate ./...

## coverage-table: what each delegate takes of each model; writes docs/coverage.md
coverage-table:
	@CGO_ENABLED=0 go run ./ci/coverage -o docs/coverage.md

## lint: gofmt, go vet, staticcheck, spelling
lint:
	ci/lint

## test: everything, on a fresh Debian; sets up what it needs
test:
	ci/test

## faults: every fault of the emulated NPU at every point; prints the table of docs/reliability.md
faults: build/tflite/ready
	@ci/emunpu $(ARCH)
	@eval "$$(ci/env $(ARCH))" && go run -tags tflite ./ci/faults

## bench: the Go kernels against XNNPACK, oneDNN and PyTorch, which it installs (NAME: a regular expression; about 3 minutes)
bench: build/tflite/ready
	@ci/peers
	@eval "$$(ci/env $(ARCH))" && go build -tags tflite -o build/bench ./ci/bench && build/bench -name '$(NAME)'

## htp-picture: pictures on Qualcomm's simulated NPUs against the Go kernels' (PROMPTS, 8; about 20 minutes); ci/setup qnn first
htp-picture: build/tflite/ready
	@eval "$$(ci/env $(ARCH))" && go build -tags tflite -o build/htp ./ci/htp && build/htp -prompts $${PROMPTS:-8} -sheet docs/pictures/htp.png

## htp-size: blocks of NanoFLUX's true size compiled for Qualcomm's NPUs (minutes, 4 GB of memory); ci/setup qnn first
htp-size: build/tflite/ready
	@eval "$$(ci/env $(ARCH))" && go build -tags tflite -o build/htpsize ./ci/htpsize && build/htpsize

## htp-table: what Qualcomm's compiler takes; writes docs/htp-table.md and the table of backend qnn (about 10 minutes); ci/setup qnn first
htp-table: build/tflite/ready
	@eval "$$(ci/env $(ARCH))" && go build -tags tflite -o build/htptable ./ci/htptable && build/htptable

## fuzz: every fuzz target, longer than make test (FUZZTIME, 2m each)
fuzz:
	FUZZTIME=$${FUZZTIME:-2m} ci/fuzz --all

## cross: the default build for every platform, without a C compiler
cross:
	ci/cross

## emulate: the tests, plans and a picture in an arm64 Debian under qemu (root)
emulate:
	ci/emulate

## android: the pure-Go program for Android, build/android/nanoflux, checked
android:
	ci/android

clean:
	rm -rf build
