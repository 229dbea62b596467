package ci

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A path in NOTICE stands in a line of its own before what is said of it, alone
// or in a list with commas, or between backquotes in a text.
var (
	noticeHeading = regexp.MustCompile(`^[\w.-]+(/[\w.-]+)+(, *[\w.-]+(/[\w.-]+)+)*,?$`)
	noticeQuoted  = regexp.MustCompile("`([\\w.-]+(?:/[\\w.-]+)+)`")
)

func TestEveryPathInNOTICEIsThere(t *testing.T) {
	text, err := os.ReadFile("../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if noticeHeading.MatchString(line) {
			for path := range strings.SplitSeq(strings.TrimSuffix(line, ","), ",") {
				paths = append(paths, strings.TrimSpace(path))
			}
		}
		for _, m := range noticeQuoted.FindAllStringSubmatch(line, -1) {
			paths = append(paths, m[1])
		}
	}
	if len(paths) < 4 {
		t.Fatalf("only %v was recognized as paths; has NOTICE another form now?", paths)
	}
	for _, path := range paths {
		if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(path))); err != nil {
			t.Errorf("NOTICE names %s: %v", path, err)
		}
	}
}
