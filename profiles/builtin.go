package profiles

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"nanoflux/profiles/nearest"
	"os"
	"path/filepath"
	"strings"
)

//go:embed *.yaml
var builtinFiles embed.FS

// Builtin lists the names of the profiles in the program, sorted.
func Builtin() []string {
	entries, err := builtinFiles.ReadDir(".")
	if err != nil {
		panic("profiles: embedded files: " + err.Error()) // cannot happen: the folder is in the program
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Load reads a profile: one of Builtin by its name, or else a file by its path.
// A name with a slash or ending in .yaml or .yml is always a path. The checks are
// Parse's.
func Load(nameOrPath string, checks ...BackendCheck) (*Profile, error) {
	data, name, err := Text(nameOrPath)
	if err != nil {
		return nil, err
	}
	return Parse(data, name, checks...)
}

// Text returns the text of the profile that Load would read, and the name of
// its file.
func Text(nameOrPath string) (data []byte, file string, err error) {
	if !looksLikePath(nameOrPath) {
		data, err := builtinFiles.ReadFile(nameOrPath + ".yaml")
		if err == nil {
			return data, nameOrPath + ".yaml", nil
		}
	}
	data, err = readFile(nameOrPath)
	if errors.Is(err, fs.ErrNotExist) && !looksLikePath(nameOrPath) {
		return nil, "", fmt.Errorf("%w %q%s (or give the path of a .yaml file)", ErrUnknown, clip(nameOrPath), suggestProfile(nameOrPath))
	}
	if err != nil {
		return nil, "", fmt.Errorf("profile: %w", err)
	}
	return data, nameOrPath, nil
}

func looksLikePath(s string) bool {
	return strings.ContainsRune(s, '/') || strings.ContainsRune(s, filepath.Separator) ||
		strings.HasSuffix(s, ".yaml") || strings.HasSuffix(s, ".yml")
}

func suggestProfile(name string) string {
	s := "; there are " + strings.Join(Builtin(), ", ")
	if near, ok := nearest.Word(name, Builtin()); ok {
		s = fmt.Sprintf("; did you mean %q? There are %s", near, strings.Join(Builtin(), ", "))
	}
	return s
}

// readFile reads at most one byte more than a profile may have. It looks before
// it opens: opening a pipe would wait for a writer.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file; give a .yaml file or the name of a profile", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxSize+1))
}
