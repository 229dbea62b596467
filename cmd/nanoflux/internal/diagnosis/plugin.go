package diagnosis

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"nanoflux/profiles"
)

// Plugins are backends of kind external for delegate plugins by their paths, all
// with the same options, each written KEY=VALUE.
func Plugins(paths, options []string) ([]profiles.Backend, error) {
	var list []profiles.Backend
	for _, path := range paths {
		// What is suggested must work in any folder.
		whole, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("plugin %s: %w", path, err)
		}
		b := profiles.Backend{Name: pluginName(path, list), Kind: "external", Options: map[string]any{"library": whole}}
		for _, o := range options {
			key, value, ok := strings.Cut(o, "=")
			if !ok || key == "" || key == "library" {
				return nil, fmt.Errorf("--plugin-option %s: takes KEY=VALUE, an option of the plugin", o)
			}
			b.Options[key] = scalar(value)
		}
		list = append(list, b)
	}
	return list, nil
}

// pluginName is a name for a profile: what the file is called, without what all
// are called, and a number where that is taken.
func pluginName(path string, others []profiles.Backend) string {
	base := strings.TrimPrefix(filepath.Base(path), "lib")
	base, _, _ = strings.Cut(base, ".")
	base = strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, base), "_-")
	if base == "" {
		base = "plugin"
	}
	name := base
	for n := 2; slices.ContainsFunc(others, func(b profiles.Backend) bool { return b.Name == name }); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name
}

// scalar is a value as YAML reads it, where writing it gives the same text again;
// else it is text. To a plugin all is text.
func scalar(text string) any {
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err == nil {
		switch v.(type) {
		case int, bool:
			if fmt.Sprint(v) == text {
				return v
			}
		}
	}
	return text
}
