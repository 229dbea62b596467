//go:build tflite

package qnn

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"nanoflux/delegate/qnn/onnx"
	"nanoflux/graph"
)

// kept is where the folder of option cache keeps a segment's code; empty without
// one. All that changes the code is in the name.
func (b *Backend) kept(l libraries, segment *graph.Model, shapes [][]int) (string, error) {
	if b.Cache == "" || b.cpu {
		return "", nil
	}
	version, err := l.version()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, segment.Fingerprint(), shapes, version, ort.GetVersion(), b.SoC.Model, b.FP16, b.W8A16, b.VTCM, b.Optimization, writerVersion)
	name := strings.ToLower(b.SoC.Model) + "-" + hex.EncodeToString(h.Sum(nil))[:32] + ".onnx"
	return filepath.Join(b.Cache, name), nil
}

// writerVersion changes when package onnx writes the same operators otherwise.
const writerVersion = 1

// keep compiles a segment and keeps its context in a file, which appears as a
// whole or not at all.
func (b *Backend) keep(segment *graph.Model, model *onnx.Model, file string, l libraries, device *ort.EpDevice) (*session, error) {
	if err := os.MkdirAll(b.Cache, 0o700); err != nil {
		return nil, fmt.Errorf("option cache: %w", err)
	}
	part := fmt.Sprintf("%s.%d.part", strings.TrimSuffix(file, ".onnx"), os.Getpid())
	s, err := b.compileAnew(segment, model, source{context: part}, l, device)
	if err != nil {
		_ = os.Remove(part) // may not be there
		return nil, err
	}
	// Without the file the next start compiles again.
	_ = os.Rename(part, file)
	return s, nil
}
