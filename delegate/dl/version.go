//go:build tflite

package dl

/*
// Calls a function that takes nothing and returns a text.
static const char* nanoflux_text_of(void* function) { return ((const char* (*)(void))function)(); }
*/
import "C"

import (
	"bytes"
	"debug/elf"
	"encoding/hex"
	"path/filepath"
	"strings"
)

// Version says which library this is, as far as it tells: the version of the
// TensorFlow Lite in it, its name with its linker's version, and the identifier
// of its build.
func (l *Library) Version() string {
	var parts []string
	if f := l.Find("TfLiteVersion"); f != nil {
		parts = append(parts, "TensorFlow Lite "+C.GoString(C.nanoflux_text_of(f)))
	}
	name, build := elfVersion(l.File)
	if name == "" {
		name = filepath.Base(l.File)
	}
	parts = append(parts, name)
	if build != "" {
		parts = append(parts, "build "+build)
	}
	return strings.Join(parts, ", ")
}

// elfVersion is the name that the linker knows a library by, and its build's
// identifier (a note that most linkers leave); empty for what is not there, and
// for files of other formats.
func elfVersion(path string) (name, build string) {
	f, err := elf.Open(path)
	if err != nil {
		return "", ""
	}
	defer f.Close()
	if names, err := f.DynString(elf.DT_SONAME); err == nil && len(names) > 0 {
		name = names[0]
	}
	section := f.Section(".note.gnu.build-id")
	const most = 1 << 10 // an identifier has 20 bytes
	if section == nil || section.Size > most {
		return name, ""
	}
	// Three words (length of the owner's name, length of the identifier, type),
	// "GNU" with a zero byte, the identifier.
	note, err := section.Data()
	if err != nil || len(note) < 16 || !bytes.Equal(note[12:16], []byte("GNU\x00")) {
		return name, ""
	}
	size := f.ByteOrder.Uint32(note[4:8])
	id := note[16:]
	if int64(size) < int64(len(id)) {
		id = id[:size]
	}
	return name, hex.EncodeToString(id[:min(len(id), 20)])
}
