package simd

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Instructions that Go's assembler lacks stand in the code as words, with what
// they are beside them. GNU's assembler must make the same words of that.
func TestWordsAreTheInstructionsBesideThem(t *testing.T) {
	for _, tool := range []string{"aarch64-linux-gnu-as", "aarch64-linux-gnu-objcopy"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	word := regexp.MustCompile(`^\s*WORD \$(0x[0-9a-fA-F]+)(?: // (.*))?$`)
	files, err := filepath.Glob("*_arm64.s")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var (
		text  strings.Builder
		words []uint32
		names []string
		seen  = map[string]bool{}
	)
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(source)) {
			line = strings.TrimRight(line, "\n")
			m := word.FindStringSubmatch(line)
			if m == nil {
				if strings.Contains(line, "WORD") {
					t.Errorf("%s: %q is not understood", file, line)
				}
				continue
			}
			if seen[line] {
				continue
			}
			seen[line] = true
			bits, err := strconv.ParseUint(m[1], 0, 32)
			if err != nil || m[2] == "" {
				t.Fatalf("%s: %q: %v", file, line, err)
			}
			words, names = append(words, uint32(bits)), append(names, file+": "+m[2])
			text.WriteString(m[2] + "\n")
		}
	}
	object, binaryFile := filepath.Join(t.TempDir(), "words.o"), filepath.Join(t.TempDir(), "words")
	assembler := exec.Command("aarch64-linux-gnu-as", "-march=armv8.6-a+i8mm+dotprod+fp16", "-o", object, "-")
	assembler.Stdin = strings.NewReader(text.String())
	if out, err := assembler.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.Command("aarch64-linux-gnu-objcopy", "-O", "binary", "-j", ".text", object, binaryFile).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	made, err := os.ReadFile(binaryFile)
	if err != nil || len(made) != 4*len(words) {
		t.Fatalf("%d bytes of %d words, %v", len(made), len(words), err)
	}
	for i, w := range words {
		if got := binary.LittleEndian.Uint32(made[4*i:]); got != w {
			t.Errorf("%s is the word %#08x, not %#08x", names[i], got, w)
		}
	}
}
