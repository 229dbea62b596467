package support

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// optionTypes are the options of the operators whose options a table names.
var optionTypes = map[graph.OpCode]reflect.Type{}

func init() {
	list := func(options any, codes ...graph.OpCode) {
		for _, c := range codes {
			optionTypes[c] = reflect.TypeOf(options)
		}
	}
	list(schema.AddOptionsT{}, schema.BuiltinOperatorADD)
	list(schema.SubOptionsT{}, schema.BuiltinOperatorSUB)
	list(schema.MulOptionsT{}, schema.BuiltinOperatorMUL)
	list(schema.DivOptionsT{}, schema.BuiltinOperatorDIV)
	list(schema.ArgMaxOptionsT{}, schema.BuiltinOperatorARG_MAX)
	list(schema.ArgMinOptionsT{}, schema.BuiltinOperatorARG_MIN)
	list(schema.Pool2DOptionsT{}, schema.BuiltinOperatorAVERAGE_POOL_2D, schema.BuiltinOperatorMAX_POOL_2D, schema.BuiltinOperatorL2_POOL_2D)
	list(schema.Conv2DOptionsT{}, schema.BuiltinOperatorCONV_2D)
	list(schema.DepthwiseConv2DOptionsT{}, schema.BuiltinOperatorDEPTHWISE_CONV_2D)
	list(schema.TransposeConvOptionsT{}, schema.BuiltinOperatorTRANSPOSE_CONV)
	list(schema.FullyConnectedOptionsT{}, schema.BuiltinOperatorFULLY_CONNECTED)
	list(schema.BatchMatMulOptionsT{}, schema.BuiltinOperatorBATCH_MATMUL)
	list(schema.SoftmaxOptionsT{}, schema.BuiltinOperatorSOFTMAX)
	list(schema.ReducerOptionsT{}, schema.BuiltinOperatorMEAN)
	list(schema.ResizeBilinearOptionsT{}, schema.BuiltinOperatorRESIZE_BILINEAR)
	list(schema.ResizeNearestNeighborOptionsT{}, schema.BuiltinOperatorRESIZE_NEAREST_NEIGHBOR)
	list(schema.L2NormOptionsT{}, schema.BuiltinOperatorL2_NORMALIZATION)
	list(schema.LSHProjectionOptionsT{}, schema.BuiltinOperatorLSH_PROJECTION)
	list(schema.ConcatenationOptionsT{}, schema.BuiltinOperatorCONCATENATION)
	list(schema.StridedSliceOptionsT{}, schema.BuiltinOperatorSTRIDED_SLICE)
	list(schema.MirrorPadOptionsT{}, schema.BuiltinOperatorMIRROR_PAD)
	list(schema.GatherOptionsT{}, schema.BuiltinOperatorGATHER)
	list(schema.DepthToSpaceOptionsT{}, schema.BuiltinOperatorDEPTH_TO_SPACE)
	list(schema.LeakyReluOptionsT{}, schema.BuiltinOperatorLEAKY_RELU)
	list(schema.SpaceToDepthOptionsT{}, schema.BuiltinOperatorSPACE_TO_DEPTH)
}

// optionsOf are an operator's options. Without them, or with those of another
// operator, it cannot be judged.
func optionsOf[T any](x *operation) (*T, *delegate.Refusal) {
	if o, ok := x.op.Options.(*T); ok && o != nil {
		return o, nil
	}
	return nil, noOptions(x)
}

func noOptions(x *operation) *delegate.Refusal {
	return delegate.Refuse(delegate.ReasonOption, "%s without its options", x.op.Name())
}

// option FIELDS NUMBERS, or option FIELDS NAMES: what fields of the operator's
// options may be. Fields are numbers, booleans (false, true) or enumerations.
func option(p *parser, args []string) (predicate, error) {
	if err := words(args, 2); err != nil {
		return nil, err
	}
	return optionFields(p, args[0], args[1], delegate.ReasonOption)
}

// activation NAMES: which functions may be fused into the output; !NAMES:
// which may not.
func activation(p *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	list, negated := strings.CutPrefix(args[0], "!")
	for _, n := range strings.Split(list, ",") {
		if _, known := schema.EnumValuesActivationFunctionType[n]; !known {
			return nil, fmt.Errorf("no activation %q", n)
		}
	}
	if !negated {
		return optionFields(p, "FusedActivationFunction", list, delegate.ReasonActivation)
	}
	others := []string{}
	for n := range schema.EnumValuesActivationFunctionType {
		if !slices.Contains(strings.Split(list, ","), n) {
			others = append(others, n)
		}
	}
	slices.Sort(others)
	return optionFields(p, "FusedActivationFunction", strings.Join(others, ","), delegate.ReasonActivation)
}

func optionFields(p *parser, fields, want string, reason delegate.Reason) (predicate, error) {
	t, known := optionTypes[p.code]
	if !known {
		return nil, fmt.Errorf("options of %v are not listed", p.code)
	}
	var indices []int
	for _, name := range strings.Split(fields, ",") {
		f, found := t.FieldByName(name)
		if !found {
			return nil, fmt.Errorf("no option %q", name)
		}
		indices = append(indices, f.Index[0])
	}
	has, takes, err := optionValues(t.Field(indices[0]).Type, want)
	return func(x *operation) *delegate.Refusal {
		v := reflect.ValueOf(x.op.Options)
		if v.Kind() != reflect.Pointer || v.IsNil() || v.Type().Elem() != t {
			return noOptions(x)
		}
		for _, i := range indices {
			if f := v.Elem().Field(i); !has(f) {
				return delegate.Refuse(reason, "%s is %v; takes %s", snakeCase(t.Field(i).Name), f.Interface(), takes)
			}
		}
		return nil
	}, err
}

// optionValues makes a test of a field's value.
func optionValues(t reflect.Type, want string) (has func(reflect.Value) bool, takes string, err error) {
	// Enumerations have names and are no plain numbers.
	if t.Kind() == reflect.Bool || t.PkgPath() != "" {
		names := strings.Split(want, ",")
		has = func(v reflect.Value) bool { return slices.Contains(names, fmt.Sprint(v.Interface())) }
		return has, strings.Join(names, ", "), nil
	}
	n, err := parseNumbers(want)
	switch {
	case err != nil:
	case t.Kind() == reflect.Int32:
		has = func(v reflect.Value) bool { return n.has(int(v.Int())) }
	case t.Kind() == reflect.Float32 && len(n.list) > 0:
		has = func(v reflect.Value) bool { return float64(int(v.Float())) == v.Float() && n.has(int(v.Float())) }
	default:
		err = fmt.Errorf("options of type %v are not compared with %q", t, want)
	}
	return has, n.String(), err
}

// snakeCase spells a Go field as the format does.
func snakeCase(field string) string {
	var b strings.Builder
	for i, r := range field {
		if 'A' <= r && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// name NAMES: of a custom operator or of a composite.
func name(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	names := strings.Split(args[0], ",")
	return func(x *operation) *delegate.Refusal {
		have := x.op.CustomCode
		if o, ok := x.op.Options.(*schema.StableHLOCompositeOptionsT); ok && o != nil {
			have = o.Name
		}
		if slices.Contains(names, have) {
			return nil
		}
		return delegate.Refuse(delegate.ReasonOp, "%v %q; takes %s", x.op.Code, have, strings.Join(names, ", "))
	}, nil
}

// filter-area NUMBERS: height times width of a pooling window.
func filterArea(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	want, err := parseNumbers(args[0])
	return func(x *operation) *delegate.Refusal {
		o, refusal := optionsOf[schema.Pool2DOptionsT](x)
		if refusal != nil {
			return refusal
		}
		if area := int(o.FilterHeight) * int(o.FilterWidth); !want.has(area) {
			return delegate.Refuse(delegate.ReasonOption, "a window of %d × %d; takes an area of %v", o.FilterHeight, o.FilterWidth, want)
		}
		return nil
	}, err
}

// last-axis: CONCATENATION is along the last dimension.
func lastAxis(_ *parser, args []string) (predicate, error) {
	return func(x *operation) *delegate.Refusal {
		o, refusal := optionsOf[schema.ConcatenationOptionsT](x)
		if refusal != nil {
			return refusal
		}
		if n := x.input(0).rank(); int(o.Axis) != -1 && int(o.Axis) != n-1 {
			return delegate.Refuse(delegate.ReasonOption, "axis %d; takes the last, %d", o.Axis, n-1)
		}
		return nil
	}, words(args, 0)
}

// not-last-axis: PACK does not make, and UNPACK does not take, the last
// dimension.
func notLastAxis(_ *parser, args []string) (predicate, error) {
	return func(x *operation) *delegate.Refusal {
		var axis, last int
		switch o := x.op.Options.(type) {
		case *schema.PackOptionsT:
			axis, last = int(o.Axis), x.input(0).rank()
		case *schema.UnpackOptionsT:
			axis, last = int(o.Axis), x.input(0).rank()-1
		default:
			return noOptions(x)
		}
		if axis == -1 || axis == last {
			return delegate.Refuse(delegate.ReasonOption, "axis %d is the last; takes others", axis)
		}
		return nil
	}, words(args, 0)
}

// squeeze-dims: SQUEEZE says which dimensions it removes.
func squeezeDims(_ *parser, args []string) (predicate, error) {
	return func(x *operation) *delegate.Refusal {
		o, refusal := optionsOf[schema.SqueezeOptionsT](x)
		if refusal == nil && len(o.SqueezeDims) == 0 {
			return delegate.Refuse(delegate.ReasonOption, "squeeze_dims is empty; it must list the dimensions")
		}
		return refusal
	}, words(args, 0)
}

// new-shape: the options of RESHAPE give a shape, not that of a scalar (which
// old files write as [0]).
func newShape(_ *parser, args []string) (predicate, error) {
	return func(x *operation) *delegate.Refusal {
		o, refusal := optionsOf[schema.ReshapeOptionsT](x)
		if refusal == nil && (len(o.NewShape) == 0 || len(o.NewShape) == 1 && o.NewShape[0] == 0) {
			return delegate.Refuse(delegate.ReasonRank, "the new shape is that of a scalar; takes rank 1 or more")
		}
		return refusal
	}, words(args, 0)
}

// one-multiplier: DEPTHWISE_CONV_2D makes one output of each channel, or has
// one channel and no dilation.
func oneMultiplier(_ *parser, args []string) (predicate, error) {
	return func(x *operation) *delegate.Refusal {
		o, refusal := optionsOf[schema.DepthwiseConv2DOptionsT](x)
		if refusal != nil {
			return refusal
		}
		dilated := o.DilationHFactor != 1 || o.DilationWFactor != 1
		if o.DepthMultiplier == 1 || !dilated && x.input(0).rank() == 4 && x.input(0).dim(3) == 1 {
			return nil
		}
		return delegate.Refuse(delegate.ReasonOption, "depth_multiplier is %d; takes 1, or others for one channel without dilation", o.DepthMultiplier)
	}, words(args, 0)
}

// normal-alpha: LEAKY_RELU's slope is neither 0 nor denormal, infinite or NaN.
func normalAlpha(_ *parser, args []string) (predicate, error) {
	return func(x *operation) *delegate.Refusal {
		o, refusal := optionsOf[schema.LeakyReluOptionsT](x)
		if refusal != nil {
			return refusal
		}
		const smallestNormal = 0x1p-126
		if a := math.Abs(float64(o.Alpha)); a >= smallestNormal && a <= math.MaxFloat32 {
			return nil
		}
		return delegate.Refuse(delegate.ReasonOption, "alpha is %v; takes normal numbers", o.Alpha)
	}, words(args, 0)
}

// never WORDS: the operator is listed and switched off; the words say why.
func never(_ *parser, args []string) (predicate, error) {
	why := strings.Join(args, " ")
	if why == "" {
		return nil, fmt.Errorf("no reason")
	}
	return func(x *operation) *delegate.Refusal {
		return delegate.Refuse(delegate.ReasonOp, "%s is %s", x.op.Name(), why)
	}, nil
}

// max-version N: the highest operator version, under a condition.
func maxVersion(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	v, err := parseVersion(args[0])
	return v.check, err
}

// coreml-version N: only this version of Core ML.
func coreMLVersion(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	want, err := strconv.Atoi(args[0])
	return func(x *operation) *delegate.Refusal {
		if x.level == want {
			return nil
		}
		return delegate.Refuse(delegate.ReasonLevel, "%s is taken with %s only; the delegate is set to %s", x.op.Name(), x.levelName(want), x.levelName(x.level))
	}, err
}
