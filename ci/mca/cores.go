package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// core is a processor as LLVM models it, or its nearest relative there.
type core struct {
	name, model string
	// dispatch is how many operations it starts a cycle; 0 leaves the model's.
	dispatch int
}

var cores = []core{
	{"A55", "cortex-a55", 0},
	{"A76", "neoverse-n1", 4},
	{"A710", "cortex-a710", 5},
	{"X3", "neoverse-v2", 6},
}

// cost is what a loop takes once round.
type cost struct {
	cycles float64
	// bound is what the processor's pipes alone would take.
	bound float64
}

var (
	totalCycles = regexp.MustCompile(`(?m)^Total Cycles:\s+(\d+)$`)
	throughput  = regexp.MustCompile(`(?m)^Block RThroughput:\s+([0-9.]+)$`)
)

const iterations = 1000

// errLacks says that a processor has not got an instruction.
var errLacks = errors.New("the processor lacks an instruction")

// analyse asks llvm-mca.
func analyse(ctx context.Context, mca string, c core, l loop) (cost, error) {
	arguments := []string{"-mtriple=aarch64-linux-gnu", "-mcpu=" + c.model, "-iterations=" + strconv.Itoa(iterations), "-instruction-info=0", "-resource-pressure=0"}
	if c.dispatch > 0 {
		arguments = append(arguments, "-dispatch="+strconv.Itoa(c.dispatch))
	}
	command := exec.CommandContext(ctx, mca, append(arguments, "-")...)
	command.Stdin = strings.NewReader(l.source())
	var problems strings.Builder
	command.Stderr = &problems
	out, err := command.Output()
	if strings.Contains(problems.String(), "instruction requires") {
		return cost{}, errLacks
	}
	if err != nil {
		return cost{}, fmt.Errorf("%s of %s (Debian's package llvm-19 has it, -llvm 19 names it): %w\n%s", mca, l.function, err, problems.String())
	}
	return parse(string(out))
}

// parse reads llvm-mca's summary.
func parse(text string) (cost, error) {
	t, r := totalCycles.FindStringSubmatch(text), throughput.FindStringSubmatch(text)
	if t == nil || r == nil {
		return cost{}, fmt.Errorf("%q is no summary of llvm-mca", text)
	}
	total, err := strconv.ParseFloat(t[1], 64)
	if err != nil {
		return cost{}, err
	}
	bound, err := strconv.ParseFloat(r[1], 64)
	return cost{cycles: total / iterations, bound: bound}, err
}

// group is a table of the page.
type group struct {
	title, unit string
	function    *regexp.Regexp
	// work is what the loop does once round, in units.
	work func(l loop) int
}

var groups = []group{
	{"Products of float32", "multiply-adds", regexp.MustCompile(`^(multiply|unpacked)NEON\d*(x\d+)?$`), func(l loop) int { return 4 * l.count("fmla") }},
	{"Products of 8-bit integers", "multiply-adds", regexp.MustCompile(`^integer(Long|Dot|Matrix)\d$`), func(l loop) int {
		return 32*l.count("smmla") + 16*l.count("sdot") + 8*l.count("smull", "smull2") + 4*l.count("smlal", "smlal2")
	}},
	{"Packing and rows of integers", "elements written", regexp.MustCompile(`^(pack|requantize|scale|quantize|depthwise|sum|product|range)\w*$`), stored},
	{"Vectors of float32", "elements", regexp.MustCompile(`^vector\w+NEON$`), func(l loop) int { return max(stored(l), loaded(l)) }},
}

var (
	register = regexp.MustCompile(`v\d+\.(\d+)[bhsd]`)
	// scalar registers hold four elements of 32, 16 or 8 bits.
	scalar = regexp.MustCompile(`\b[qds]\d+`)
)

// stored and loaded are the elements that a loop writes and reads; of those that
// are read from several slices, the longest.
func stored(l loop) int { return moved(l, "st1", "str", "stp") }
func loaded(l loop) int { return moved(l, "ld1", "ldr", "ldp") }

func moved(l loop, names ...string) int {
	n := map[string]int{} // by the register that points there
	pointer := regexp.MustCompile(`\[(x\d+)`)
	for _, in := range l.instructions {
		name, rest, _ := strings.Cut(in, " ")
		p := pointer.FindStringSubmatch(rest)
		if !slices.Contains(names, name) || p == nil {
			continue
		}
		list, _, _ := strings.Cut(rest, "[")
		for _, m := range register.FindAllStringSubmatch(list, -1) {
			lanes, _ := strconv.Atoi(m[1])
			n[p[1]] += lanes
		}
		n[p[1]] += 4 * len(scalar.FindAllString(list, -1))
	}
	most := 0
	for _, v := range n {
		most = max(most, v)
	}
	return most
}

// write writes the group's table.
func (g group) write(ctx context.Context, b *strings.Builder, mca string, loops []loop) error {
	fmt.Fprintf(b, "\n## %s\n\n| loop | instructions | %s |", g.title, g.unit)
	for _, c := range cores {
		fmt.Fprintf(b, " %s |", c.name)
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---|", len(cores)) + "\n")
	for _, l := range loops {
		if !g.function.MatchString(l.function) {
			continue
		}
		work := "–" // what it computes is stored outside the loop
		if n := g.work(l); n > 0 {
			work = strconv.Itoa(n)
		}
		fmt.Fprintf(b, "| `%s` | %d | %s |", l.function, len(l.instructions), work)
		for _, c := range cores {
			k, err := analyse(ctx, mca, c, l)
			switch {
			case errors.Is(err, errLacks):
				b.WriteString(" – |")
			case err != nil:
				return err
			default:
				fmt.Fprintf(b, " %.1f (%.0f %%) |", k.cycles, min(100, 100*k.bound/k.cycles))
			}
		}
		b.WriteString("\n")
	}
	return nil
}
