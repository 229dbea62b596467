package compiler

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"nanoflux/delegate/litert/installed"
	"nanoflux/profiles/nearest"
)

// Vendor finds a maker of NPUs by its name, whatever its case; the error names the
// nearest and the list.
func Vendor(manufacturer string) (installed.Vendor, error) {
	v, ok := installed.VendorNamed(manufacturer)
	if ok {
		return v, nil
	}
	all := installed.VendorNames()
	hint := ""
	if near, ok := nearest.Word(manufacturer, all); ok {
		hint = "did you mean " + near + "? "
	}
	return v, fmt.Errorf("LiteRT has no compiler for the maker %q; %sThere are %s", manufacturer, hint, strings.Join(all, ", "))
}

var (
	chipsMutex sync.Mutex
	chips      = map[string][]string{}
)

// quotedName is a name in the tool's answer.
var quotedName = regexp.MustCompile(`"([^"]+)"`)

// Chips are the models that a vendor's compiler knows, as it says itself, sorted.
// Errors are those of Compile.
func Chips(ctx context.Context, manufacturer string, o Options) ([]string, error) {
	o = o.settled()
	v, err := Vendor(manufacturer)
	if err != nil {
		return nil, err
	}
	key := o.Package.Root + "\x00" + v.Name
	chipsMutex.Lock()
	list, asked := chips[key]
	chipsMutex.Unlock()
	if asked {
		return list, nil
	}
	run, err := o.tool(ctx, v, []string{"--cmd=info", "--libs=" + o.Package.Compiler(v), "--o=-"})
	if err != nil {
		return nil, loading(err, run.said, v, o)
	}
	// < LiteRtCompilerPlugin > "IntelOpenVINO" | "PTL", "LNL"
	for line := range strings.Lines(run.said) {
		_, after, ok := strings.Cut(line, "< LiteRtCompilerPlugin > ")
		if !ok {
			continue
		}
		for _, m := range quotedName.FindAllStringSubmatch(after, -1) {
			list = append(list, m[1])
		}
	}
	if len(list) < 2 || list[0] != v.Name { // the maker, then its chips
		return nil, loading(&ToolError{Tool: o.Package.Tool(), Cause: "it names no chips", Said: Complaints(run.said)}, run.said, v, o)
	}
	list = list[1:]
	slices.Sort(list)
	chipsMutex.Lock()
	chips[key] = list
	chipsMutex.Unlock()
	return list, nil
}

// known is the target as its vendor writes it, whatever its case; the error is for
// a chip that the compiler does not know. Some compilers take any name in silence.
func known(ctx context.Context, v installed.Vendor, t Target, o Options) (Target, error) {
	list, err := Chips(ctx, v.Name, o)
	if err != nil {
		return t, err
	}
	if i := slices.IndexFunc(list, func(c string) bool { return strings.EqualFold(c, t.Model) }); i >= 0 {
		return Target{Manufacturer: v.Name, Model: list[i]}, nil
	}
	hint := ""
	if near, ok := nearest.Word(t.Model, list); ok {
		hint = "did you mean " + near + "? "
	}
	return t, fmt.Errorf("%s's compiler knows no chip %q; %sIt knows %s", v.Name, t.Model, hint, strings.Join(list, ", "))
}
