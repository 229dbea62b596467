package journal

import (
	"os"
	"path/filepath"
)

// Environment is the variable that names the journal's file; off, - or nothing
// for none.
const Environment = "NANOFLUX_JOURNAL"

// Default is the user's journal: the file that Environment names, or
// nanoflux/journal in the user's folder for caches. It is nil when there shall be
// none, and on a system without such a folder.
func Default() *Journal {
	path, set := os.LookupEnv(Environment)
	if !set {
		dir, err := os.UserCacheDir()
		if err != nil {
			return nil
		}
		path = filepath.Join(dir, "nanoflux", "journal")
	}
	switch path {
	case "", "-", "off":
		return nil
	}
	return New(path)
}
