package graph

import (
	"fmt"
	"reflect"
	"strings"

	flatbuffers "github.com/google/flatbuffers/go"

	"nanoflux/graph/schema"
)

// options unpacks an operator's options: one of the schema package's
// XxxOptionsT pointers, or nil. The format has two unions for them, because
// the first one is full.
func options(o *schema.Operator) (any, error) {
	var table flatbuffers.Table
	if kind := o.BuiltinOptionsType(); kind != schema.BuiltinOptionsNONE {
		if _, known := schema.EnumNamesBuiltinOptions[kind]; !known {
			return nil, fmt.Errorf("options of kind %d are newer than this program", kind)
		}
		if o.BuiltinOptions(&table) {
			return kind.UnPack(table).Value, nil
		}
	}
	if kind := o.BuiltinOptions2Type(); kind != schema.BuiltinOptions2NONE {
		if _, known := schema.EnumNamesBuiltinOptions2[kind]; !known {
			return nil, fmt.Errorf("options of kind %d in the second union are newer than this program", kind)
		}
		if o.BuiltinOptions2(&table) {
			return kind.UnPack(table).Value, nil
		}
	}
	return nil, nil
}

// optionsUnion says which member of which union of the format holds options.
// The generated type of member X is named XT.
func optionsUnion(options any) (first *schema.BuiltinOptionsT, second *schema.BuiltinOptions2T, err error) {
	if options == nil {
		return nil, nil, nil
	}
	t := reflect.TypeOf(options)
	if t.Kind() == reflect.Pointer && !reflect.ValueOf(options).IsNil() {
		name := strings.TrimSuffix(t.Elem().Name(), "T")
		if kind, ok := schema.EnumValuesBuiltinOptions[name]; ok {
			return &schema.BuiltinOptionsT{Type: kind, Value: options}, nil, nil
		}
		if kind, ok := schema.EnumValuesBuiltinOptions2[name]; ok {
			return nil, &schema.BuiltinOptions2T{Type: kind, Value: options}, nil
		}
	}
	return nil, nil, fmt.Errorf("options of type %T are not in the format", options)
}
