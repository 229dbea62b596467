// Command mca writes docs/arm64.md: what the inner loops of package
// fallback/simd cost on Arm's processors, by the models of LLVM's static
// analyser. Nothing runs: the loops are taken from a test program that is built
// for arm64.
//
//	go run ./ci/mca -llvm 19
//
// It needs llvm-objdump and llvm-mca (Debian: llvm-19).
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

//go:embed head.md
var head string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mca:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	version := flag.String("llvm", "", "version in the names of LLVM's programs, as in llvm-mca-19")
	page := flag.String("page", "docs/arm64.md", "file of the page")
	flag.Parse()
	suffix := ""
	if *version != "" {
		suffix = "-" + *version
	}
	loops, err := disassembled(ctx, "llvm-objdump"+suffix)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(head)
	for _, g := range groups {
		if err := g.write(ctx, &b, "llvm-mca"+suffix, loops); err != nil {
			return err
		}
	}
	return os.WriteFile(*page, []byte(b.String()), 0o644)
}

// disassembled builds the tests of package simd for arm64 and finds their loops.
func disassembled(ctx context.Context, objdump string) ([]loop, error) {
	dir, err := os.MkdirTemp("", "mca")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "simd.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "./fallback/simd")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the tests of ./fallback/simd for arm64 (run this in the repository's root): %w\n%s", err, out)
	}
	text, err := exec.CommandContext(ctx, objdump, "-d", "--no-show-raw-insn", "--mattr=+all", program).Output()
	if err != nil {
		return nil, fmt.Errorf("disassembling with %s (Debian's package llvm-19 has it, -llvm 19 names it): %w", objdump, err)
	}
	return loopsIn(string(text)), nil
}
