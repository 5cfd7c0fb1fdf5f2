#!/usr/bin/env bash
# Builds the archive for a 64-bit Raspberry Pi on another machine: the program, the TensorFlow Lite library, a model, the
# licences, a service. Unpacked, it runs; nothing needs installing on the board.
#
# Usage: pi/build.sh [ARCHIVE]          default bin/mnet-edge-pi-arm64.tar.gz
#   MODEL=FILE.tflite                   the model to pack; default the one built in
#
# The same sources and tools give the same bytes.
set -euo pipefail
archive='' model=''
[ -z "${1:-}" ] || archive=$(realpath -m "$1") # of the caller's folder
[ -z "${MODEL:-}" ] || model=$(realpath -m "$MODEL")
cd "$(dirname "$0")/.."

archive=${archive:-bin/mnet-edge-pi-arm64.tar.gz}
model=${model:-builtin/model.tflite}
native=native/linux-arm64
cross=aarch64-linux-gnu-gcc

fail() { echo "pi: $*" >&2; exit 1; }
command -v $cross >/dev/null ||
  fail "$cross is not installed (Debian: apt install gcc-aarch64-linux-gnu g++-aarch64-linux-gnu)"
TARGET=linux-arm64 bash native/fetch.sh native
[ -f $native/libtensorflowlite_c.so ] || fail "without the TensorFlow Lite library for arm64 there is nothing to pack"
[ -f "$model" ] || fail "$model: no such model"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/mnet-edge
mkdir -p "$root/licenses"

# Of the environment only what is set here reaches the compilers: a Pi 3 and 4 have the first version of the architecture.
unset GOEXPERIMENT CGO_CPPFLAGS CGO_CXXFLAGS CGO_FFLAGS
export GOARM64=v8.0 GOOS=linux GOARCH=arm64 CGO_ENABLED=1 CC=$cross GOFLAGS=-buildvcs=false
export CGO_CFLAGS="-O2 '-I$PWD/native/include'" CGO_LDFLAGS="-O2 '-L$PWD/$native'"
go build -trimpath -tags tflite -ldflags '-s -w -buildid=' -o "$root/mnet-edge" ./cmd/mnet-edge

cp $native/libtensorflowlite_c.so LICENSE pi/README.md pi/mnet-edge.service "$root"
cp "$model" "$root/model.tflite"

# The licence of every Go module in the program, of the pictures built in, and of what the library is made of.
cp pi/licenses/* "$root/licenses"
cp dataset/fashion/LICENSE "$root/licenses/fashion-mnist.txt"
cp "$(go env GOROOT)/LICENSE" "$root/licenses/go.txt"
go list -deps -tags tflite -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}' ./cmd/mnet-edge | sort -u |
  while read -r path dir; do
    found=$(find "$dir" -maxdepth 2 -type f -iregex '.*/\(licen[cs]es/.*\|\(licen[cs]e\|copying\|notice\)[^/]*\)' | LC_ALL=C sort)
    [ -n "$found" ] || fail "$path has no licence file"
    xargs -d '\n' cat <<<"$found" >"$root/licenses/${path//\//_}.txt"
  done

chmod -R u=rwX,go=rX "$root"
mkdir -p "$(dirname "$archive")"
tar -C "$work" --sort=name --format=ustar --mtime=@315532800 --owner=0 --group=0 --numeric-owner -cf "$work/archive.tar" mnet-edge
gzip -n -9 <"$work/archive.tar" >"$work/archive.tar.gz"
mv "$work/archive.tar.gz" "$archive"
echo "pi: $archive, $(($(stat -c %s "$archive") / 1000000)) MB, sha256 $(sha256sum "$archive" | cut -d ' ' -f 1)"
