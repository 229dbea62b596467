#!/bin/sh
# Regenerates schema_generated.go and schema.bfbs from tflite.fbs.
# flatc's version is pinned: another version writes other code.
set -eu
want=2.0.8
have=$(flatc --version 2>/dev/null | sed 's/^flatc version //') || true
if [ "$have" != "$want" ]; then
  echo "graph/schema: flatc $want is needed (Debian 12: apt-get install flatbuffers-compiler), found '${have:-none}'" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flatc --go --gen-onefile --gen-object-api --go-namespace schema -o "$work" tflite.fbs
gofmt "$work/tflite_generated.go" > schema_generated.go
flatc --binary --schema -o "$work" tflite.fbs
cp "$work/tflite.bfbs" schema.bfbs
