package journal

import (
	"fmt"
	"os"
	"path/filepath"
)

// Variable is the environment variable that names the file; "off", "-" or
// nothing between the quotes for none.
const Variable = "NANOFLUX_JOURNAL"

// Default is the user's journal: the file that Variable names, or
// nanoflux/journal in the user's folder for caches. It is nil when there shall be
// none. The error says why there can be none.
func Default() (*Journal, error) {
	if path, set := os.LookupEnv(Variable); set {
		switch path {
		case "", "-", "off":
			return nil, nil
		}
		return Open(path), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("no journal: %w; set %s to a file, or to off", err, Variable)
	}
	return Open(filepath.Join(dir, "nanoflux", "journal")), nil
}
