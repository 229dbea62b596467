package compiler

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"nanoflux/graph"
)

// leave sets what is taken and what is left: c of a compiled file, or nothing
// taken without one.
func (r *Report) leave(segment *graph.Model, c *Compiled, said string) {
	g := &segment.Subgraphs[0]
	var left []int
	if c != nil {
		left = c.Left
	} else {
		for i := range g.Ops {
			left = append(left, i)
		}
	}
	why := reasons(g, said)
	for _, op := range left {
		reason := why[op]
		if reason == "" {
			reason = "left without a word why"
		}
		r.Left = append(r.Left, Left{Op: op, Label: segment.OpLabel(0, op), Reason: reason})
	}
	r.Taken = r.Operators - len(left)
}

var (
	// OpenVINO: op type 122 is not supported
	byCode = regexp.MustCompile(`op type (\d+) is not supported`)
	// Qualcomm: LiteRT Op #0 'Conv2d' (code=3) is not supported in Qualcomm Compiler.
	byNumber = regexp.MustCompile(`LiteRT Op #(\d+) '([^']*)' \(code=(\d+)\) is not supported`)
	// before it: QNN op validation failed: 'Conv2d_0' (type=Conv2d)
	node = regexp.MustCompile(`QNN op validation failed: '([^']*)'`)
)

// reasons are what the compiler said of operators, by their index.
func reasons(g *graph.Subgraph, said string) map[int]string {
	why := map[int]string{}
	for _, m := range byCode.FindAllStringSubmatch(said, -1) {
		code, err := strconv.Atoi(m[1])
		if err != nil {
			continue
		}
		for i := range g.Ops {
			if int(g.Ops[i].Code) == code {
				why[i] = "the compiler has no such operator"
			}
		}
	}
	lines := strings.Split(said, "\n")
	last := ""
	for _, line := range lines {
		if m := node.FindStringSubmatch(line); m != nil {
			last = m[1]
		}
		m := byNumber.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		op, err := strconv.Atoi(m[1])
		if err != nil || op >= len(g.Ops) || strconv.Itoa(int(g.Ops[op].Code)) != m[3] {
			continue // numbered in another way
		}
		why[op] = fmt.Sprintf("not supported as %s", m[2])
		if detail := errorAbout(lines, last); detail != "" {
			why[op] = detail
		}
		last = ""
	}
	return why
}

// errorAbout is the first error about a node of the vendor's graph.
func errorAbout(lines []string, node string) string {
	if node == "" {
		return ""
	}
	for _, line := range lines {
		_, detail, isError := strings.Cut(line, "<E> ")
		if isError && strings.Contains(line, "'"+node+"'") {
			return strings.TrimSpace(detail)
		}
	}
	return ""
}
