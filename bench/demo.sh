#!/usr/bin/env bash
# The main job on the images built in: train, convert to int8, measure. $1 is the binary.
set -euo pipefail
bin=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run=$work/run

# Without XLA the Go backend trains many times slower: fewer images, so that the demo still ends in minutes.
# Few images: small batches, so that there are enough steps.
size=(--epochs 15 --batch 32 --lr 0.1)
if ! "$bin" devices --json | grep -q '"name":"train:xla","kind":"cpu","available":true'; then
  echo "XLA is not there: a much shorter training, on GoMLX's Go backend" >&2
  size=(--epochs 6 --batch 32 --lr 0.1 --limit 600)
fi

step() { printf '\n$ mnet-edge %s\n' "$*" | sed "s|$work/||g" >&2; "$bin" "$@"; }
step train --width 0.25 "${size[@]}" --out "$run"
step convert --float32 "$run" -o "$work/float32.tflite"
step convert --int8 "$run" -o "$work/int8.tflite"
step bench --data fashion-mini "$work/float32.tflite" "$work/int8.tflite"
