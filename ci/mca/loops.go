package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// loop is the body of a function's inner loop.
type loop struct {
	function     string   // without its package
	instructions []string // the last one branches to the first
}

// instruction is a line of a disassembly.
type instruction struct {
	at   uint64
	text string
	// target of a branch, else 0.
	target uint64
}

var (
	functionLine    = regexp.MustCompile(`^[0-9a-f]+ <nanoflux/fallback/simd\.(\w+)\.abi0>:$`) // those in assembly
	instructionLine = regexp.MustCompile(`^\s*([0-9a-f]+):\s+(\S.*)$`)
	branchTarget    = regexp.MustCompile(`^(?:b\.\w+|cbn?z|tbn?z|b)\s.*?0x([0-9a-f]+)(?: <[^>]*>)?$`)
)

// loopsIn finds the longest inner loop of each function of package simd in
// llvm-objdump's output.
func loopsIn(text string) []loop {
	var list []loop
	var name string
	var body []instruction
	finish := func() {
		if longest := innermost(body); name != "" && longest != nil {
			list = append(list, loop{name, longest})
		}
		name, body = "", nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if m := functionLine.FindStringSubmatch(line); m != nil {
			finish()
			name = m[1]
			continue
		}
		m := instructionLine.FindStringSubmatch(line)
		if m == nil {
			finish()
			continue
		}
		at, err := strconv.ParseUint(m[1], 16, 64)
		if err != nil {
			continue
		}
		i := instruction{at: at, text: strings.Join(strings.Fields(m[2]), " ")}
		if b := branchTarget.FindStringSubmatch(i.text); b != nil {
			if i.target, err = strconv.ParseUint(b[1], 16, 64); err != nil {
				continue
			}
		}
		body = append(body, i)
	}
	finish()
	return list
}

// innermost is the longest of the loops that have no other in them.
func innermost(body []instruction) []string {
	type span struct{ from, to int }
	var spans []span
	for i, in := range body {
		if in.target != 0 && in.target <= in.at {
			if from := slices.IndexFunc(body, func(x instruction) bool { return x.at == in.target }); from >= 0 {
				spans = append(spans, span{from, i})
			}
		}
	}
	var longest []string
	for _, s := range spans {
		if slices.ContainsFunc(spans, func(x span) bool { return x != s && x.from >= s.from && x.to <= s.to }) {
			continue
		}
		if s.to-s.from+1 <= len(longest) {
			continue
		}
		longest = nil
		for _, in := range body[s.from : s.to+1] {
			longest = append(longest, in.text)
		}
	}
	return longest
}

// count is how many instructions of the loop begin with one of the names.
func (l loop) count(names ...string) int {
	n := 0
	for _, in := range l.instructions {
		name, _, _ := strings.Cut(in, " ")
		if slices.Contains(names, name) {
			n++
		}
	}
	return n
}

// source is the loop for llvm-mca.
func (l loop) source() string {
	var b strings.Builder
	b.WriteString("loop:\n")
	for _, in := range l.instructions {
		// Branches go back, or out of the loop: where to does not matter.
		if m := branchTarget.FindStringSubmatchIndex(in); m != nil {
			in = in[:m[2]-len("0x")] + "loop"
		}
		b.WriteString(in + "\n")
	}
	return b.String()
}
