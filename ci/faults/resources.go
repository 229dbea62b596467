//go:build tflite

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// used is what a row could leave behind in this process, or take in a worker.
type used struct {
	// children are processes of this one, also those that have ended and that
	// nobody has waited for.
	children []int
	// files are open descriptors; memories are those of shared memory among them.
	files, memories int
	// mapped is how much shared memory is mapped, in bytes: a mapping outlives
	// its descriptor.
	mapped uint64
}

// resources counts what this process uses now.
func resources() (u used, err error) {
	if u.children, err = children(os.Getpid()); err != nil {
		return u, err
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return u, err
	}
	for _, f := range files {
		target, err := os.Readlink(filepath.Join("/proc/self/fd", f.Name()))
		if err != nil {
			continue // the descriptor by which the folder was read
		}
		u.files++
		if isSharedMemory(target) {
			u.memories++
		}
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return u, err
	}
	u.mapped = mappedMemory(maps)
	return u, nil
}

// isSharedMemory says whether a path of /proc is that of memory that processes
// share: a file in memory, or, where the kernel refuses these, a file whose name
// was removed.
func isSharedMemory(path string) bool {
	return strings.HasPrefix(path, "/memfd:") || strings.HasPrefix(path, "/dev/shm/") ||
		strings.HasPrefix(filepath.Base(path), "shared-") && strings.HasSuffix(path, " (deleted)")
}

// mappedMemory adds up lines "7f00-7f10 rw-s 00000000 00:01 1234  /memfd:name".
func mappedMemory(maps []byte) (size uint64) {
	for line := range bytes.Lines(maps) {
		at := bytes.IndexByte(line, '/')
		if at < 0 || !isSharedMemory(string(bytes.TrimSpace(line[at:]))) {
			continue
		}
		var first, beyond uint64
		if _, err := fmt.Sscanf(string(line), "%x-%x", &first, &beyond); err == nil {
			size += beyond - first
		}
	}
	return size
}

// children are the processes whose parent is pid, zombies too.
func children(pid int) (list []int, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// "PID (name) state parent …"; the name may hold anything.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) < 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		list = append(list, child)
	}
	return list, nil
}

// left says what is there after a row that was not there before it; nil when
// nothing is. What ends in the background gets a second to do so.
func left(before used) error {
	for try := 0; ; try++ {
		now, err := resources()
		if err != nil {
			return err
		}
		if err = now.more(before); err == nil || try == 20 {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// more says what there is more of than before.
func (u used) more(before used) error {
	switch {
	case len(u.children) > len(before.children):
		return fmt.Errorf("child processes are left: %v", u.children)
	case u.mapped > before.mapped:
		return fmt.Errorf("shared memory is still mapped: %d bytes, before %d", u.mapped, before.mapped)
	case u.memories > before.memories:
		return fmt.Errorf("shared memory is still open: %d regions, before %d", u.memories, before.memories)
	case u.files > before.files:
		return fmt.Errorf("files are still open: %d, before %d", u.files, before.files)
	}
	return nil
}

// resident is how much memory a process has, in bytes.
func resident(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	var size, pages uint64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0, fmt.Errorf("/proc/%d/statm: %w", pid, err)
	}
	return pages * uint64(os.Getpagesize()), nil
}
