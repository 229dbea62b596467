package graph

import (
	_ "embed"
	"errors"
	"fmt"
	"sync"

	flatbuffers "github.com/google/flatbuffers/go"
)

//go:embed schema/schema.bfbs
var schemaBinary []byte

// bfbsSchema is what the verifier needs of the format's schema: the tables
// with their fields, read from flatc's binary form of it (reflection.fbs of
// the FlatBuffers project defines that form).
type bfbsSchema struct {
	root   *bfbsTable
	tables []bfbsTable
}

type bfbsTable struct {
	name   string
	fields []bfbsField
}

type bfbsField struct {
	name    string
	id      int
	base    bfbsType
	element bfbsType // of a vector
	// table is the type of a table, or of the elements of a vector of them.
	table *bfbsTable
	// union has the table of each member, by its number.
	union map[int64]*bfbsTable
}

// bfbsType is the kind of a field, with reflection.fbs's numbers.
type bfbsType int8

const (
	bfbsUnionType bfbsType = 1
	bfbsBool      bfbsType = 2
	bfbsInt8      bfbsType = 3
	bfbsUint8     bfbsType = 4
	bfbsInt16     bfbsType = 5
	bfbsUint16    bfbsType = 6
	bfbsInt32     bfbsType = 7
	bfbsUint32    bfbsType = 8
	bfbsInt64     bfbsType = 9
	bfbsUint64    bfbsType = 10
	bfbsFloat32   bfbsType = 11
	bfbsFloat64   bfbsType = 12
	bfbsString    bfbsType = 13
	bfbsVector    bfbsType = 14
	bfbsObject    bfbsType = 15
	bfbsUnion     bfbsType = 16
)

// scalar: the value is in the table or vector, not behind an offset.
func (t bfbsType) scalar() bool { return t >= bfbsUnionType && t <= bfbsFloat64 }

// size is how many bytes a value takes in a table or vector; what is not a
// scalar is behind an offset of four bytes.
func (t bfbsType) size() int64 {
	switch t {
	case bfbsUnionType, bfbsBool, bfbsInt8, bfbsUint8:
		return 1
	case bfbsInt16, bfbsUint16:
		return 2
	case bfbsInt64, bfbsUint64, bfbsFloat64:
		return 8
	case bfbsInt32, bfbsUint32, bfbsFloat32:
	}
	return 4
}

// fileSchema is the schema of .tflite files.
var fileSchema = sync.OnceValues(func() (*bfbsSchema, error) { return parseSchema(schemaBinary) })

// Field numbers of reflection.fbs, by table.
const (
	schemaObjects, schemaEnums, schemaRoot = 0, 1, 4
	objectName, objectFields, objectStruct = 0, 1, 2
	fieldName, fieldType, fieldID          = 0, 1, 2
	typeBase, typeElement, typeIndex       = 0, 1, 2
	enumValues                             = 1
	valueNumber, valueUnionType            = 1, 3
)

// parseSchema reads flatc's binary schema. It is embedded, and so trusted.
func parseSchema(data []byte) (*bfbsSchema, error) {
	if len(data) < headerSize || string(data[4:headerSize]) != "BFBS" {
		return nil, errors.New("the embedded schema is damaged")
	}
	root := reflected{flatbuffers.Table{Bytes: data, Pos: flatbuffers.GetUOffsetT(data)}}
	objects, enums := root.tables(schemaObjects), root.tables(schemaEnums)
	s := &bfbsSchema{tables: make([]bfbsTable, len(objects))}
	rootTable, _ := root.table(schemaRoot)
	for i, o := range objects {
		t := &s.tables[i]
		t.name = o.string(objectName)
		if o.number(objectStruct, bfbsBool, 0) != 0 {
			return nil, fmt.Errorf("the embedded schema has a struct, %s, which the verifier does not know", t.name)
		}
		if t.name == rootTable.string(objectName) {
			s.root = t
		}
		for _, f := range o.tables(objectFields) {
			field, err := s.field(f, enums)
			if err != nil {
				return nil, err
			}
			t.fields = append(t.fields, field)
		}
	}
	if s.root == nil {
		return nil, errors.New("the embedded schema has no root")
	}
	return s, nil
}

func (s *bfbsSchema) field(f reflected, enums []reflected) (bfbsField, error) {
	kind, _ := f.table(fieldType)
	out := bfbsField{
		name:    f.string(fieldName),
		id:      int(f.number(fieldID, bfbsUint16, 0)),
		base:    bfbsType(kind.number(typeBase, bfbsInt8, 0)),
		element: bfbsType(kind.number(typeElement, bfbsInt8, 0)),
	}
	index := kind.number(typeIndex, bfbsInt32, -1)
	switch {
	case out.base.scalar(), out.base == bfbsString, out.base == bfbsVector && out.element.scalar():
	case out.base == bfbsObject, out.base == bfbsVector && out.element == bfbsObject:
		out.table = &s.tables[index]
	case out.base == bfbsUnion:
		out.union = map[int64]*bfbsTable{}
		for _, v := range enums[index].tables(enumValues) {
			member, ok := v.table(valueUnionType)
			if i := member.number(typeIndex, bfbsInt32, -1); ok && i >= 0 {
				out.union[v.number(valueNumber, bfbsInt64, 0)] = &s.tables[i]
			}
		}
	default:
		return out, fmt.Errorf("the embedded schema's field %s has type %d of %d, which the verifier does not know", out.name, out.base, out.element)
	}
	return out, nil
}

// reflected is a table of the binary schema.
type reflected struct{ flatbuffers.Table }

// slot is where field id is, counted from the table; 0 when it is absent.
func (r reflected) slot(id int) flatbuffers.UOffsetT {
	if r.Bytes == nil {
		return 0
	}
	return flatbuffers.UOffsetT(r.Offset(flatbuffers.VOffsetT(4 + 2*id)))
}

func (r reflected) string(id int) string {
	if o := r.slot(id); o != 0 {
		return r.String(r.Pos + o)
	}
	return ""
}

func (r reflected) table(id int) (reflected, bool) {
	o := r.slot(id)
	if o == 0 {
		return reflected{}, false
	}
	return reflected{flatbuffers.Table{Bytes: r.Bytes, Pos: r.Indirect(r.Pos + o)}}, true
}

func (r reflected) tables(id int) []reflected {
	o := r.slot(id)
	if o == 0 {
		return nil
	}
	out := make([]reflected, r.VectorLen(o))
	for i := range out {
		at := r.Vector(o) + flatbuffers.UOffsetT(i*flatbuffers.SizeUOffsetT)
		out[i] = reflected{flatbuffers.Table{Bytes: r.Bytes, Pos: r.Indirect(at)}}
	}
	return out
}

func (r reflected) number(id int, t bfbsType, absent int64) int64 {
	o := r.slot(id)
	if o == 0 {
		return absent
	}
	switch at := r.Pos + o; t {
	case bfbsBool, bfbsInt8:
		return int64(r.GetInt8(at))
	case bfbsUint16:
		return int64(r.GetUint16(at))
	case bfbsInt32:
		return int64(r.GetInt32(at))
	default:
		return r.GetInt64(at)
	}
}
