package isolate

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"unsafe"
)

// mappings are the parts of files that this process has mapped, by address, as
// the kernel tells them. On systems that do not tell, there are none.
type mappings []mappedFile

type mappedFile struct {
	first, beyond uintptr
	offset        int64
	inode         uint64
	path          string
}

// readMappings reads them as they are now.
func readMappings() mappings {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil
	}
	return parseMappings(text)
}

// parseMappings reads lines "7f00-7f10 r--p 00001000 08:01 1234  /path". Lines
// of memory that is no file's, or of a file that was deleted, are left out.
func parseMappings(text []byte) (list mappings) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		var m mappedFile
		var device, access string
		if n, err := fmt.Sscanf(lines.Text(), "%x-%x %s %x %s %d", &m.first, &m.beyond, &access, &m.offset, &device, &m.inode); n != 6 || err != nil {
			continue
		}
		at := strings.IndexByte(lines.Text(), '/')
		// What can be written to may differ from the file.
		if at < 0 || m.inode == 0 || !strings.HasPrefix(access, "r-") {
			continue
		}
		m.path = lines.Text()[at:]
		if strings.HasSuffix(m.path, " (deleted)") || strings.HasPrefix(m.path, "/memfd:") || strings.HasPrefix(m.path, "/dev/") {
			continue
		}
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b mappedFile) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	return list
}

// find says in which file data lies, and where.
func (list mappings) find(data []byte) (file *mappedFile, offset int64, ok bool) {
	if len(data) == 0 {
		return nil, 0, false
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	i, found := slices.BinarySearchFunc(list, at, func(m mappedFile, at uintptr) int {
		switch {
		case at < m.first:
			return 1
		case at >= m.beyond:
			return -1
		}
		return 0
	})
	if !found || uintptr(len(data)) > list[i].beyond-at {
		return nil, 0, false
	}
	return &list[i], list[i].offset + int64(at-list[i].first), true
}
