#!/usr/bin/env bash
# Fetches the native libraries that mnet-edge uses when they are there, each pinned and checked by sha256:
#
#   libtensorflowlite_c.so            TensorFlow Lite 2.20, C API with XNNPACK    Maven package, by mvn
#   libLiteRt.so                      LiteRT 2.3, with XNNPACK                    PyPI package, by pip
#   libLiteRtWebGpuAccelerator.so     its GPU accelerator                         of the same package
#   pjrt_c_api_cpu_plugin.so          OpenXLA's CPU plugin, for training          PyPI package, by pip
#
# Usage: native/fetch.sh [DIR]
# They go to DIR/GOOS-GOARCH (DIR: the folder of this script). TARGET=linux-arm64 fetches for another machine.
# A library that is there and whole is left alone. One that cannot be had costs one line, never the build; a file
# whose checksum is wrong ends the script with exit code 1.
set -euo pipefail

tflite_version=2.20.0-1.5.13
litert_version=2.3.0
xla_version=0.11.2

host() {
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) echo linux-amd64 ;;
    Linux-aarch64) echo linux-arm64 ;;
    *) uname -sm | tr 'A-Z ' 'a-z-' ;;
  esac
}

# Pins of a target: the package's name for it, its sha256, each library inside, the library's sha256.
case "${TARGET:=$(host)}" in
  linux-amd64)
    tflite=(linux-x86_64 9bba5aaa6c53a005404a3f1b4bc4789d2bb1ec3dbe17896829822c883832542b
      libjnitensorflowlite.so 0827c85f15d5fe73a3446a94f19b85ba4bf406473bacac7c37424218a2e609d2)
    xla=(manylinux_2_27_x86_64 1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1
      pjrt_c_api_cpu_plugin.so ad1309ac822b1b24d51b7f9947c7c9fa9ef5d67f390584cbc3d1fa2428fed9c2)
    litert=(manylinux_2_27_x86_64 1f15078a6725d2357d9de9221664c29afa0545d807559c5f7199ce5e40b96b23
      libLiteRt.so eec47eb35e2924b3166015887e652a58edc9af823ae38e02bf83bef2548300bb
      libLiteRtWebGpuAccelerator.so b67f193ae6eb8ad3a15349f54aba696c97d6f981c92bc2eb1096cbe9e2835b25)
    ;;
  linux-arm64)
    tflite=(linux-arm64 1d2fae373b613d9ce840321ea914590dac6d2fce7e90bf96c3682cec7109a523
      libjnitensorflowlite.so 309245c746c038e2bfc4fd227f80ea0b8bd101904ec3f67025c3c44d1ec0d43e)
    litert=(manylinux_2_27_aarch64 853fc608f96da87bd5f3458465dfb9abbf18d5ae6b94eceacead407146f175ae
      libLiteRt.so b57687dc234d2b8b0598aef5a9c961ed24263df8f8b3f56adbee1cff618e544b
      libLiteRtWebGpuAccelerator.so 5f271fa4a36f9dd8d1f8514971b2e80f46bd92b1066509cdd9c0716723d6091a)
    ;;
esac

dir=${1:-$(dirname "$0")}/$TARGET
mkdir -p "$dir"
tmp=$(mktemp -d "$dir/fetch.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

sha256() { if command -v sha256sum; then sha256sum "$1"; else shasum -a 256 "$1"; fi | tail -n 1 | cut -d ' ' -f 1; }
whole() { [ -f "$1" ] && [ "$(sha256 "$1")" = "$2" ]; }
# there FILE SHA256: whole, and else remembers a file that is there, which nobody must take for the library.
stale=
there() { whole "$1" "$2" && return; [ ! -e "$1" ] || stale=$1; return 1; }
fail() { echo "native: $*" >&2; exit 1; }
check() { whole "$1" "$2" || fail "$(basename "$1"): sha256 is $(sha256 "$1"), want $2; not used"; }

no_tflite="infer runs on the engines in Go only, without TensorFlow Lite and XNNPACK"
no_litert="the delegates litert and gpu are not there"
no_xla="train runs on the Go backend only, many times slower than XLA"
lost() {
  [ -z "$stale" ] || fail "$stale has not the checksum that is pinned, and $1: remove it, or run this where it can be fetched"
  echo "native: $TARGET: $1: $2; all else works"
}

# last FILE: what a client said in the end, of lines with something in them.
last() { grep -v "^[[:space:]]*$" "$1" | tail -n 1 | cut -c 1-200; }

# unpack ARCHIVE MEMBER FILE extracts one member of a zip archive.
unpack() {
  if command -v unzip >/dev/null; then
    unzip -p "$1" "$2" >"$3"
  else
    python3 -c 'import sys, zipfile, shutil
with zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as f: shutil.copyfileobj(f, sys.stdout.buffer)' "$1" "$2" >"$3"
  fi
}

fetch_tflite() {
  [ -n "${tflite:-}" ] || { lost "no package for this machine" "$no_tflite"; return; }
  local platform=${tflite[0]} member=${tflite[2]}
  local out=$dir/libtensorflowlite_c.${member##*.}
  if there "$out" "${tflite[3]}"; then return; fi
  command -v unzip >/dev/null || command -v python3 >/dev/null || { lost "unzip is not installed" "$no_tflite"; return; }
  command -v mvn >/dev/null || { lost "mvn is not installed (Debian: apt install maven)" "$no_tflite"; return; }
  mvn -q dependency:copy -Dartifact="org.bytedeco:tensorflow-lite:$tflite_version:jar:$platform" \
    -DoutputDirectory="$tmp" >"$tmp/mvn.log" 2>&1 || { lost "mvn could not fetch TensorFlow Lite ($(last "$tmp/mvn.log"))" "$no_tflite"; return; }
  local jar=$tmp/tensorflow-lite-$tflite_version-$platform.jar
  check "$jar" "${tflite[1]}"
  unpack "$jar" "org/bytedeco/tensorflowlite/$platform/$member" "$tmp/$member"
  check "$tmp/$member" "${tflite[3]}"
  mv "$tmp/$member" "$out"
  echo "native: TensorFlow Lite ${tflite_version%%-*} is in $out"
}

fetch_litert() {
  [ -n "${litert:-}" ] || { lost "no LiteRT for this machine" "$no_litert"; return; }
  if there "$dir/${litert[2]}" "${litert[3]}" && there "$dir/${litert[4]}" "${litert[5]}"; then return; fi
  local pip
  pip=$(command -v pip3 || command -v pip) || { lost "pip is not installed (Debian: apt install python3-pip)" "$no_litert"; return; }
  "$pip" download -q --no-deps --only-binary=:all: --platform "${litert[0]}" --python-version 311 -d "$tmp" \
    "ai-edge-litert==$litert_version" >"$tmp/pip.log" 2>&1 || { lost "pip could not fetch LiteRT ($(last "$tmp/pip.log"))" "$no_litert"; return; }
  local wheel=$tmp/ai_edge_litert-$litert_version-cp311-cp311-${litert[0]}.whl i
  check "$wheel" "${litert[1]}"
  for i in 2 4; do
    unpack "$wheel" "ai_edge_litert/${litert[i]}" "$tmp/${litert[i]}"
    check "$tmp/${litert[i]}" "${litert[i + 1]}"
    mv "$tmp/${litert[i]}" "$dir/${litert[i]}"
  done
  echo "native: LiteRT $litert_version is in $dir"
}

fetch_xla() {
  [ -n "${xla:-}" ] || { lost "no XLA plugin for this machine" "$no_xla"; return; }
  local member=${xla[2]} out=$dir/${xla[2]}
  if there "$out" "${xla[3]}"; then return; fi
  local pip
  pip=$(command -v pip3 || command -v pip) || { lost "pip is not installed (Debian: apt install python3-pip)" "$no_xla"; return; }
  "$pip" download -q --no-deps --only-binary=:all: --platform "${xla[0]}" -d "$tmp" "lammps-jax-pjrt-cpu==$xla_version" \
    >"$tmp/pip.log" 2>&1 || { lost "pip could not fetch the XLA plugin ($(last "$tmp/pip.log"))" "$no_xla"; return; }
  local wheel=$tmp/lammps_jax_pjrt_cpu-$xla_version-py3-none-${xla[0]}.whl
  check "$wheel" "${xla[1]}"
  unpack "$wheel" "lammps_jax_pjrt_cpu/$member" "$tmp/$member"
  check "$tmp/$member" "${xla[3]}"
  mv "$tmp/$member" "$out"
  echo "native: the XLA CPU plugin is in $out"
}

for fetch in fetch_tflite fetch_litert fetch_xla; do
  stale=
  $fetch
done
