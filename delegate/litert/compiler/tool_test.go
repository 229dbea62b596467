//go:build unix

package compiler_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/litert/compiler"
	"nanoflux/delegate/litert/installed"
	"nanoflux/graph"
)

// doubled is a package whose tool is a shell script: asked for its chips it names
// some, and else it does what the script says. $out is where it must write.
func doubled(t *testing.T, script string) compiler.Options {
	t.Helper()
	p := installed.Package{Root: t.TempDir()}
	if err := os.MkdirAll(filepath.Dir(p.Tool()), 0o700); err != nil {
		t.Fatal(err)
	}
	text := `#!/bin/sh
for a; do case $a in
--cmd=info) echo '< LiteRtCompilerPlugin > "Qualcomm" | "SM8650", "SM8750"'; exit 0 ;;
--o=*) out=${a#--o=} ;;
esac; done
` + script + "\n"
	if err := os.WriteFile(p.Tool(), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return compiler.Options{Package: p, Deadline: 20 * time.Second}
}

func double(t *testing.T) *graph.Model {
	t.Helper()
	b := graph.NewBuilder("double")
	x := b.Input("x", graph.Float32, 3)
	b.Output("y", b.Add(x, x))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var elite = compiler.Target{Manufacturer: "Qualcomm", Model: "SM8750"}

func TestACompilerThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		target compiler.Target
		want   string
		is     error
	}{
		"with a code":              {"echo 'INFO: [a.cc:1] so far'; echo 'ERROR: [b.cc:2] no such thing'; exit 3", elite, "apply_plugin_main: ended with exit code 3 (it said: no such thing)", nil},
		"with a message of lines":  {"printf 'ERROR: [b.cc:2] from here\\n from there\\n\\nINFO: [c.cc:1] bye\\n'; exit 1", elite, "(it said: from here from there)", nil},
		"without a word":           {"exit 1", elite, "ended with exit code 1", nil},
		"by a crash":               {"echo 'WARNING: [b.cc:2] careful'; kill -SEGV $$", elite, "killed by segmentation fault", nil},
		"by writing nothing":       {": >$out", elite, "it wrote nothing", nil},
		"by writing no file":       {"exit 0", elite, "no such file", nil},
		"by writing no model":      {"echo 'this is no model at all, it is a text' >$out", elite, "what was compiled cannot be read", nil},
		"by taking nothing":        {"echo 'INFO: [p.cc:742] Partitioned subgraph<0>, selected 0 ops, from a total of 1 ops. resulted in 0 partitions.'; exit 1", elite, "the NPU takes no operator", compiler.ErrNothing},
		"for an unknown chip":      {"exit 0", compiler.Target{Manufacturer: "qualcomm", Model: "SM8755"}, `Qualcomm's compiler knows no chip "SM8755"; did you mean SM8750? It knows SM8650, SM8750`, nil},
		"for an unknown maker":     {"exit 0", compiler.Target{Manufacturer: "Apple", Model: "M5"}, `no compiler for the maker "Apple"; There are Google, IntelOpenVINO, MediaTek, Qualcomm, Samsung`, nil},
		"for a maker without chip": {"exit 0", compiler.Target{Manufacturer: "MediaTek", Model: "mt6989"}, "it names no chips", nil},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, err := compiler.Compile(t.Context(), double(t), c.target, doubled(t, c.script))
			if code != nil || err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is no %v", err, c.is)
			}
		})
	}
}

func TestACompilerThatHangsIsStoppedWithItsChildren(t *testing.T) {
	o := doubled(t, "sleep 1000 & sleep 1000")
	o.Deadline = 200 * time.Millisecond
	if _, err := compiler.Chips(t.Context(), "Qualcomm", o); err != nil {
		t.Skip("the machine is too busy: ", err)
	}
	_, _, err := compiler.Compile(t.Context(), double(t), elite, o)
	var failed *compiler.ToolError
	if !errors.As(err, &failed) || failed.Cause != "no end within 200ms; it was stopped" {
		t.Error(err)
	}
}

func TestACompilationEndsWithItsContext(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	o := doubled(t, ": >"+started+"; sleep 1000")
	ctx, end := context.WithCancel(t.Context())
	defer end()
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(started); err == nil {
				end()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if _, _, err := compiler.Compile(ctx, double(t), elite, o); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestWithoutTheTool(t *testing.T) {
	o := compiler.Options{Package: installed.Package{Root: t.TempDir()}}
	_, _, err := compiler.Compile(t.Context(), double(t), elite, o)
	if !errors.Is(err, delegate.ErrUnavailable) || !strings.Contains(err.Error(), "ci/setup litert") {
		t.Error(err)
	}
}

func TestAPluginThatCannotBeLoaded(t *testing.T) {
	o := doubled(t, "")
	text := `#!/bin/sh
echo 'WARNING: [compiler_plugin.cc:312] Failed to load plugin with error:'
echo '└ Could not load shared library /a/plugin.so: libQnnHtp.so: cannot open shared object file: No such file or directory.'
echo '[LITERT_TOOLS:APPLY] Loaded 0 plugins'
exit 6
`
	if err := os.WriteFile(o.Package.Tool(), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	_, _, err := compiler.Compile(t.Context(), double(t), elite, o)
	if !errors.Is(err, delegate.ErrUnavailable) || !strings.Contains(err.Error(), "Qualcomm's compiler plugin cannot be loaded: /a/plugin.so: libQnnHtp.so: cannot open") ||
		!strings.Contains(err.Error(), "ci/setup qnn") {
		t.Error(err)
	}
}

func TestATensorThatIsInputAndOutputIsRefused(t *testing.T) {
	m := *double(t)
	m.Subgraphs = append([]graph.Subgraph{}, m.Subgraphs...)
	m.Subgraphs[0].Outputs = append([]int{m.Subgraphs[0].Inputs[0]}, m.Subgraphs[0].Outputs...)
	if _, _, err := compiler.Compile(t.Context(), &m, elite, doubled(t, "")); !errors.Is(err, delegate.ErrUnsupported) || !strings.Contains(err.Error(), `"x" is an input or output twice`) {
		t.Error(err)
	}
}
