#!/bin/sh
# nanoflux in Termux, from packages to a picture; docs/termux.md explains it.
#
#   sh ci/termux.sh           pure Go: build/nanoflux
#   sh ci/termux.sh tflite    with TensorFlow Lite over cgo: build/nanoflux-tflite
#   sh ci/termux.sh library   only the library for that, also on other machines
#
# NANOFLUX_AAR names the archive of the library where it is there already.
set -eu
cd "$(dirname "$0")/.."

version=2.16.1
url=https://repo1.maven.org/maven2/org/tensorflow/tensorflow-lite/$version/tensorflow-lite-$version.aar
aar_hash=34b065817e294e7dd3569504e8b9454938ceae453b6a459da54d5f6e45d3c94e
library_hash=a4f950ebb6ddb191cfaf77a4c821b577c5a3200a02b3b338bfa68d00c7446623
lib=$PWD/build/tflite/android-arm64/lib

fail() {
  echo "ci/termux.sh: $*" >&2
  exit 1
}

# matches FILE SHA256
matches() {
  [ -f "$1" ] && echo "$2  $1" | sha256sum -c - >/dev/null 2>&1
}

termux() {
  if [ ! -x /system/bin/linker64 ] || [ ! -d "${PREFIX:-/nowhere}" ]; then
    fail "this is no Termux on a 64-bit Android; elsewhere use make build"
  fi
  case $(uname -m) in
    aarch64 | arm64) ;;
    *) fail "the processor is $(uname -m); only arm64 was thought of" ;;
  esac
}

packages() {
  pkg install -y "$@" || fail "pkg could not install $*; try pkg upgrade, then again"
}

# Go has no toolchain for Android to download, so the one of Termux must do.
go_is_new_enough() {
  GOTOOLCHAIN=local go list -m >/dev/null 2>&1 ||
    fail "$(go version) is too old for go.mod, which says $(sed -n 's/^go //p' go.mod); run pkg upgrade"
}

# The library's own name stays its name for the loader; -ltensorflowlite_c finds
# it by the link.
library() {
  if ! matches "$lib/libtensorflowlite_jni.so" "$library_hash"; then
    mkdir -p build/tflite
    work=$(mktemp -d "$PWD/build/tflite/part.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    aar=${NANOFLUX_AAR:-}
    if [ -z "$aar" ]; then
      aar=$work/tensorflow-lite.aar
      curl -fsSL -o "$aar" "$url" || fail "could not fetch $url; or set NANOFLUX_AAR to the file"
    fi
    matches "$aar" "$aar_hash" || fail "$aar has not the hash $aar_hash of tensorflow-lite $version"
    unzip -q -d "$work" "$aar" jni/arm64-v8a/libtensorflowlite_jni.so
    matches "$work/jni/arm64-v8a/libtensorflowlite_jni.so" "$library_hash" || fail "the library in $aar has not the hash $library_hash"
    mkdir -p "$lib"
    mv -f "$work/jni/arm64-v8a/libtensorflowlite_jni.so" "$lib/"
  fi
  ln -sf libtensorflowlite_jni.so "$lib/libtensorflowlite_c.so"
  echo "TensorFlow Lite $version: $lib/libtensorflowlite_jni.so"
}

# picture PROGRAM PROFILE
picture() {
  "$1" doctor
  "$1" generate "a red apple, 3d" --profile "$2" -o build/apple.png
  echo "the picture: $PWD/build/apple.png"
  if [ -d "$HOME/storage/pictures" ]; then
    cp build/apple.png "$HOME/storage/pictures/nanoflux-apple.png"
    echo "in the gallery: nanoflux-apple.png"
  else
    echo "for the gallery: termux-setup-storage, then cp build/apple.png ~/storage/pictures/"
  fi
}

mkdir -p build
case ${1:-go} in
  go)
    termux
    packages golang
    go_is_new_enough
    CGO_ENABLED=0 go build -trimpath -o build/nanoflux ./cmd/nanoflux
    picture build/nanoflux cpu-go
    ;;
  tflite)
    termux
    packages golang clang curl unzip
    go_is_new_enough
    library
    CGO_ENABLED=1 CC=clang CGO_CFLAGS="-O2 -I$PWD/delegate/tflite/include" CGO_LDFLAGS="-L$lib -Wl,-rpath,$lib" \
      go build -tags tflite -o build/nanoflux-tflite ./cmd/nanoflux
    picture build/nanoflux-tflite tflite-cpu
    ;;
  library) library ;;
  *) fail "usage: sh ci/termux.sh [go|tflite|library]" ;;
esac
