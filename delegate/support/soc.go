package support

import (
	"fmt"
	"nanoflux/profiles/nearest"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// SoC is a Qualcomm chip (data/soc.psv).
type SoC struct {
	// Model is the chip's name: "SM8650".
	Model string
	// HTP is the version of its neural processor (75 for v75; those up to 66
	// are DSPs with vector units), 0 for none.
	HTP int
	// ID is QNN's soc_model, 0 where it is not known.
	ID int
	// LPAI is the version of its low-power island, 0 for none.
	LPAI int
}

var socs = sync.OnceValue(func() []SoC {
	data, err := files.ReadFile("data/soc.psv")
	if err == nil {
		var list []SoC
		if list, err = parseSoCs(string(data)); err == nil {
			return list
		}
	}
	panic(fmt.Sprintf("support: soc.psv: %v", err)) // see loaded
})

// SoCs are the chips that are known, in the order of the file.
func SoCs() []SoC { return slices.Clone(socs()) }

// FindSoC finds a chip by its model; case does not count. The error is NoSoC's of all
// chips.
func FindSoC(model string) (SoC, error) {
	names := make([]string, 0, len(socs()))
	for _, s := range socs() {
		if strings.EqualFold(s.Model, model) {
			return s, nil
		}
		names = append(names, s.Model)
	}
	return SoC{}, NoSoC(model, names)
}

// NoSoC says that a chip is none of these, which is the nearest, and which there are.
func NoSoC(model string, known []string) error {
	list := strings.Join(slices.Sorted(slices.Values(known)), ", ")
	if near, ok := nearest.Word(model, known); ok {
		return fmt.Errorf("no chip %q; did you mean %s? There are %s", model, near, list)
	}
	return fmt.Errorf("no chip %q; there are %s", model, list)
}

func parseSoCs(text string) (list []SoC, err error) {
	lines, err := cells(text, "#model|htp_arch|soc_model_id|lpai")
	if err != nil {
		return nil, err
	}
	// number reads what follows prefix; empty is 0.
	number := func(s, prefix string) int {
		if s == "" {
			return 0
		}
		digits, found := strings.CutPrefix(s, prefix)
		n, failed := strconv.Atoi(digits)
		if !found || failed != nil || n < 1 {
			err = fmt.Errorf("%q is no number", s)
		}
		return n
	}
	for _, l := range lines {
		s := SoC{Model: l.cells[0], HTP: number(l.cells[1], "v"), ID: number(l.cells[2], ""), LPAI: number(l.cells[3], "v")}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", l.number, err)
		}
		if s.Model == "" || slices.ContainsFunc(list, func(o SoC) bool { return o.Model == s.Model }) {
			return nil, fmt.Errorf("line %d: model %q empty or twice", l.number, s.Model)
		}
		list = append(list, s)
	}
	return list, nil
}
