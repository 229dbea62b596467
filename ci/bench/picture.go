//go:build tflite

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"nanoflux/models/bundle/pocket"
	"nanoflux/models/pipeline"
	"nanoflux/profiles"
)

// peers is where ci/peers installs Python packages.
const peers = "build/peers"

// picture times the pocket picture (text, ten steps, decoding) on the Go kernels
// and in PyTorch, which runs in a child process and waits for its turn.
func (b *bench) picture() error {
	const name = "picture pocket, 10 steps, against PyTorch"
	if !b.wants(name) {
		return nil
	}
	peer, err := startPyTorch(b.threads)
	if err != nil {
		b.skip(name, err)
		return nil
	}
	defer peer.stop()
	fmt.Println("#", peer.ready)
	profile, err := profiles.Load("cpu-go")
	if err != nil {
		return err
	}
	for i := range profile.Backends {
		profile.Backends[i].Options = map[string]any{"threads": b.threads}
	}
	model, err := pocket.Open()
	if err != nil {
		return err
	}
	ours, err := pipeline.New(b.ctx, model, pipeline.Options{Profile: profile})
	if err != nil {
		return err
	}
	defer func() { _ = ours.Close() }()
	x, y, err := b.paired(func() error {
		_, err := ours.Generate(b.ctx, pipeline.Request{Prompt: "a red apple, 3d, on a white background", Seed: 1})
		return err
	}, peer.picture)
	if err != nil {
		return err
	}
	b.line(name, x.String(), y.String(), x.typical()/y.typical(), goal{atMost: 1})
	return nil
}

// pyTorch is a child process that makes a picture for each line it is sent.
type pyTorch struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	ready   string
}

func startPyTorch(threads int) (*pyTorch, error) {
	python := filepath.Join(peers, "torch", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return nil, fmt.Errorf("PyTorch is not here: %w (ci/peers installs it)", err)
	}
	p := &pyTorch{command: exec.Command(python, "ci/bench/pocket.py", "models/data/pocket", fmt.Sprint(threads))}
	// Its threads look for work for a short while only: the other side runs next.
	p.command.Env = append(os.Environ(), "GOMP_SPINCOUNT=20000", fmt.Sprintf("OMP_NUM_THREADS=%d", threads))
	p.command.Stderr = os.Stderr
	var err error
	if p.in, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if p.ready, err = p.out.ReadString('\n'); err != nil {
		p.stop()
		return nil, fmt.Errorf("PyTorch did not start: %w", err)
	}
	p.ready = strings.TrimSpace(p.ready)
	return p, nil
}

// picture asks for one and waits for it.
func (p *pyTorch) picture() error {
	if _, err := fmt.Fprintln(p.in, "picture"); err != nil {
		return fmt.Errorf("PyTorch: %w", err)
	}
	if _, err := p.out.ReadString('\n'); err != nil {
		return fmt.Errorf("PyTorch: %w", err)
	}
	return nil
}

func (p *pyTorch) stop() {
	_ = p.in.Close()
	_ = p.command.Wait()
}
