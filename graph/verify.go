package graph

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// identifier is at bytes 4 to 8 of every file.
const identifier = "TFL3"

const (
	// maxDepth is how many tables may be nested; the format needs less than
	// ten.
	maxDepth = 32
	// headerSize is the root offset and the identifier.
	headerSize = 8
	// Every byte of a usual file is visited once. A file may share parts (a
	// string used twice), but a chain of shared tables could make reading
	// take for ever, so that visits are paid for from a budget of
	// sharingFactor times the file's size and a little more.
	sharingFactor = 2
	sharingFree   = 64 << 10
)

// verify checks that data is a FlatBuffer of the TensorFlow Lite schema in
// which every offset, vtable, vector, string, table and union lies inside
// data, is aligned, and is of the type that the schema says; so that the
// generated accessors, which check nothing, can touch all of it.
//
// Fields that the schema does not know (of newer writers) are skipped.
func verify(data []byte) error {
	if len(data) < headerSize {
		return fmt.Errorf("%d bytes are too few", len(data))
	}
	if id := string(data[4:headerSize]); id != identifier {
		return fmt.Errorf("bytes 4 to 8 are %q, must be %q", id, identifier)
	}
	types, err := fileSchema()
	if err != nil {
		return err
	}
	v := verifier{data: data, types: types, budget: sharingFactor*int64(len(data)) + sharingFree}
	root, err := v.target(0)
	if err == nil {
		err = v.table(root, types.root, 0)
	}
	return err
}

var (
	errShared = errors.New("parts of the file are shared too often; it was made to exhaust the reader")
	errDeep   = fmt.Errorf("tables are nested more than %d deep", maxDepth)
)

// verifier walks a flatbuffer. Positions are int64, so that sums of 32-bit
// values from the file cannot wrap.
type verifier struct {
	data   []byte
	types  *bfbsSchema
	budget int64
}

// inside checks that n bytes from pos on are in the file and that pos is a
// multiple of align.
func (v *verifier) inside(pos, n, align int64) error {
	if pos < 0 || n < 0 || pos > int64(len(v.data))-n {
		return fmt.Errorf("%d bytes at %d lie outside of the %d bytes there are; the file may be cut short", n, pos, len(v.data))
	}
	if pos%align != 0 {
		return fmt.Errorf("position %d is not a multiple of %d", pos, align)
	}
	return nil
}

// spend pays for a visit to n bytes.
func (v *verifier) spend(n int64) error {
	if v.budget -= n; v.budget < 0 {
		return errShared
	}
	return nil
}

func (v *verifier) uint32(pos int64) int64 {
	return int64(binary.LittleEndian.Uint32(v.data[pos:]))
}

func (v *verifier) uint16(pos int64) int64 {
	return int64(binary.LittleEndian.Uint16(v.data[pos:]))
}

// target follows the offset at pos, which counts from where it stands.
func (v *verifier) target(pos int64) (int64, error) {
	if err := v.inside(pos, 4, 4); err != nil {
		return 0, err
	}
	offset := v.uint32(pos)
	if offset == 0 {
		return 0, fmt.Errorf("offset at %d is 0", pos)
	}
	to := pos + offset
	return to, v.inside(to, 4, 4)
}

// table checks the table at pos, whose first four bytes lie inside, and
// everything below it.
func (v *verifier) table(pos int64, t *bfbsTable, depth int) error {
	if depth > maxDepth {
		return errDeep
	}
	f, err := v.fields(pos)
	if err == nil {
		err = v.spend(f.size + 4) // and the offset that led here
	}
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	for i := range t.fields {
		if err := v.field(f, t, &t.fields[i], depth); err != nil {
			return fmt.Errorf("%s.%s: %w", t.name, t.fields[i].name, err)
		}
	}
	return nil
}

// tableFields finds the fields of one table.
type tableFields struct {
	v    *verifier
	pos  int64 // of the table
	size int64 // of the table
	// vtable is the position of the table of field offsets, and its size.
	vtable, vtableSize int64
}

func (v *verifier) fields(pos int64) (tableFields, error) {
	back := int64(int32(binary.LittleEndian.Uint32(v.data[pos:])))
	f := tableFields{v: v, pos: pos, vtable: pos - back}
	if err := v.inside(f.vtable, 4, 2); err != nil {
		return f, fmt.Errorf("vtable: %w", err)
	}
	f.vtableSize, f.size = v.uint16(f.vtable), v.uint16(f.vtable+2)
	if f.vtableSize < 4 || f.vtableSize%2 != 0 || f.size < 4 {
		return f, fmt.Errorf("vtable of %d bytes for a table of %d", f.vtableSize, f.size)
	}
	if err := v.inside(f.vtable, f.vtableSize, 2); err != nil {
		return f, fmt.Errorf("vtable: %w", err)
	}
	return f, v.inside(pos, f.size, 4)
}

// at is the position of the field number id of n bytes, 0 when it is absent.
func (f *tableFields) at(id int, n int64) (int64, error) {
	slot := int64(4 + 2*id)
	if slot+2 > f.vtableSize {
		return 0, nil
	}
	offset := f.v.uint16(f.vtable + slot)
	if offset == 0 {
		return 0, nil
	}
	if offset < 4 || offset+n > f.size {
		return 0, fmt.Errorf("field at %d of a table of %d bytes", offset, f.size)
	}
	return f.pos + offset, f.v.inside(f.pos+offset, n, n)
}

func (v *verifier) field(f tableFields, t *bfbsTable, field *bfbsField, depth int) error {
	pos, err := f.at(field.id, field.base.size())
	if err != nil || pos == 0 {
		return err
	}
	if field.base.scalar() {
		return nil
	}
	if field.base != bfbsUnion {
		if pos, err = v.target(pos); err != nil {
			return err
		}
	}
	switch field.base {
	case bfbsString:
		return v.string(pos)
	case bfbsVector:
		return v.vector(pos, field, depth)
	case bfbsObject:
		return v.table(pos, field.table, depth+1)
	case bfbsUnion:
		return v.union(f, pos, field, depth)
	}
	return fmt.Errorf("type %d is not in this format", field.base)
}

// union checks the member that the field before says. NONE, and members of
// newer writers, are not looked at: no accessor of this program does either.
func (v *verifier) union(f tableFields, pos int64, field *bfbsField, depth int) error {
	kindAt, err := f.at(field.id-1, 1)
	if err != nil || kindAt == 0 {
		return err
	}
	member := field.union[int64(v.data[kindAt])]
	if member == nil {
		return nil
	}
	if pos, err = v.target(pos); err != nil {
		return err
	}
	return v.table(pos, member, depth+1)
}

// string is a byte vector with a zero behind it.
func (v *verifier) string(pos int64) error {
	n := v.uint32(pos)
	if err := v.inside(pos+4, n+1, 1); err != nil {
		return err
	}
	if v.data[pos+4+n] != 0 {
		return fmt.Errorf("string at %d does not end in zero", pos)
	}
	return v.spend(n + 5)
}

func (v *verifier) vector(pos int64, field *bfbsField, depth int) error {
	n := v.uint32(pos)
	size := field.element.size()
	if err := v.inside(pos+4, n*size, min(size, maxVectorAlign)); err != nil {
		return err
	}
	if err := v.spend(4 + n*size); err != nil {
		return err
	}
	if field.element.scalar() {
		return nil
	}
	for i := range n {
		to, err := v.target(pos + 4 + i*size)
		if err == nil {
			err = v.table(to, field.table, depth+1)
		}
		if err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

// maxVectorAlign is the alignment asked of vectors of 8-byte elements: some
// writers align the length and not the elements, and the accessors read byte
// by byte.
const maxVectorAlign = 4
