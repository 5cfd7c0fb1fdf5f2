#!/usr/bin/env bash
# Brings a Vulkan in software, SwiftShader, on which the GPU accelerator runs where there is no GPU: Debian's packages
# chromium-common (which has it) and libvulkan1 (the loader), unpacked, not installed.
#
# Usage: native/swiftshader.sh DIR
# Prints the environment that makes programs use it, as lines for a shell's export. What is there already is left alone.
set -euo pipefail

dir=$1
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
lib=$dir/usr/lib/chromium/libvk_swiftshader.so
fail() { echo "swiftshader: $*" >&2; exit 1; }

if [ ! -f "$dir/icd.json" ]; then
  for tool in apt-get dpkg; do
    command -v $tool >/dev/null || fail "$tool is not there: set VK_DRIVER_FILES to a Vulkan driver of your own"
  done
  work=$(mktemp -d "$dir/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && apt-get download -q chromium-common libvulkan1 >log 2>&1) || fail "apt-get could not fetch the packages"
  for package in "$work"/*.deb; do dpkg -x "$package" "$dir"; done
  [ -f "$lib" ] || fail "the package has no libvk_swiftshader.so"
fi
# The driver's description names its library relative to itself; the loader wants the whole path from elsewhere, wherever this folder is today.
sed "s#\"library_path\": *\"[^\"]*\"#\"library_path\": \"$lib\"#" "$dir/usr/lib/chromium/vk_swiftshader_icd.json" >"$dir/icd.json.new"
mv "$dir/icd.json.new" "$dir/icd.json"
loader=$(find "$dir/usr/lib" -maxdepth 2 -name libvulkan.so.1 ! -path '*/chromium/*' | head -n 1)
echo "VK_DRIVER_FILES=$dir/icd.json"
echo "LD_LIBRARY_PATH=$(dirname "$loader")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
