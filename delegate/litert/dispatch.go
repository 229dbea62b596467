//go:build tflite

package litert

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"nanoflux/delegate"
	"nanoflux/delegate/litert/installed"
)

// dispatchFolders are where a vendor's dispatch library is looked for: in the
// folder that an option names, or else in LiteRT's package and beside the runtime.
func dispatchFolders(v installed.Vendor, option, library string, here installed.Package) []string {
	if option != "" {
		return []string{option}
	}
	var list []string
	if p := here.Dispatch(v); p != "" {
		list = append(list, p)
	}
	if strings.Contains(library, string(filepath.Separator)) {
		list = append(list, filepath.Dir(library))
	}
	return slices.Compact(list)
}

// findDispatch finds a vendor's dispatch library in one of the folders. LiteRT
// takes whichever it finds first in a folder, so there must be one. Errors wrap
// delegate.ErrUnavailable and say which file was looked for, where, and what to do.
func findDispatch(v installed.Vendor, folders []string) (file string, err error) {
	for _, folder := range folders {
		found := installed.DispatchLibraries(folder)
		if len(found) == 0 {
			continue
		}
		own := filepath.Join(folder, v.DispatchFile)
		if !slices.Contains(found, own) {
			continue
		}
		if len(found) > 1 {
			return "", fmt.Errorf("%w: %s has %d dispatch libraries, and LiteRT takes any of them; put %s into a folder of its own and name that in option dispatch", delegate.ErrUnavailable, folder, len(found), v.DispatchFile)
		}
		return own, nil
	}
	where := "nowhere: LiteRT's package is not known"
	if len(folders) > 0 {
		where = strings.Join(folders, " and ")
	}
	return "", fmt.Errorf("%w: %s's dispatch library %s is missing (looked in %s); it runs what is compiled for %s's NPUs. Get it from %s, put it into a folder of its own and name that in option dispatch", delegate.ErrUnavailable, v.Name, v.DispatchFile, where, v.Name, v.Source)
}

// dispatchFeatures says for whose NPUs the dispatch library is there, and for whose
// it is not.
func dispatchFeatures(option, library string, here installed.Package) []string {
	var there, missing []string
	for _, name := range installed.VendorNames() {
		v, _ := installed.VendorNamed(name)
		if _, err := findDispatch(v, dispatchFolders(v, option, library, here)); err == nil {
			there = append(there, name)
		} else {
			missing = append(missing, name)
		}
	}
	var list []string
	if len(there) > 0 {
		list = append(list, "dispatch libraries for "+strings.Join(there, " "))
	}
	if len(missing) > 0 {
		list = append(list, "none for "+strings.Join(missing, " "))
	}
	return list
}
