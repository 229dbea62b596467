package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"nanoflux/profiles/nearest"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// placed is a mistake at a line and column of the manifest, counted from 1; the
// column is 0 where only the line is known, the line where neither is.
type placed struct {
	line, column int
	message      string
}

func (e *placed) Error() string { return e.message }

// at writes file, line and column in front of a mistake.
func (e *placed) at(file string) error {
	switch {
	case e.line == 0:
	case e.column == 0:
		file = fmt.Sprintf("%s:%d", file, e.line)
	default:
		file = fmt.Sprintf("%s:%d:%d", file, e.line, e.column)
	}
	return fmt.Errorf("%s: %w: %s", file, ErrFormat, e.message)
}

func mistake(n *yaml.Node, format string, args ...any) *placed {
	return &placed{n.Line, n.Column, fmt.Sprintf(format, args...)}
}

var syntaxLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)

// syntax is an error of the YAML parser, which knows lines only.
func syntax(err error) *placed {
	e := &placed{message: strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		e.line, _ = strconv.Atoi(m[1])
		e.message = m[2]
	}
	e.message = "not YAML: " + strings.ReplaceAll(e.message, "\n", "; ")
	return e
}

// document parses a text of exactly one YAML document.
func document(data []byte) (*yaml.Node, *placed) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		return nil, &placed{message: "it is empty"}
	} else if err != nil {
		return nil, syntax(err)
	}
	if err := d.Decode(&second); err == nil {
		return nil, mistake(&second, "a second document starts here")
	} else if !errors.Is(err, io.EOF) {
		return nil, syntax(err)
	}
	return doc.Content[0], nil
}

// mostNodes bounds the values that are looked at. An alias counts each time it is
// used, so a small manifest cannot grow through aliases.
const mostNodes = 100_000

// strictReader puts YAML into Go values. Where yaml.v3 is lenient it is not: a key
// must be known and given once, a key without omitempty must be given, and
// text, numbers and true or false are not taken for each other.
type strictReader struct{ nodes int }

func (r *strictReader) read(n *yaml.Node, to reflect.Value, what string) *placed {
	if r.nodes++; r.nodes > mostNodes {
		return mistake(n, "too many values (aliases count each time they are used)")
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch to.Kind() {
	case reflect.Struct:
		return r.structure(n, to, what)
	case reflect.Map:
		return r.byName(n, to, what)
	case reflect.Slice:
		return r.list(n, to, what)
	}
	return scalar(n, to, what)
}

func (r *strictReader) structure(n *yaml.Node, to reflect.Value, what string) *placed {
	fields, required := map[string]reflect.Value{}, []string{}
	var names []string
	for i := range to.NumField() {
		name, options, _ := strings.Cut(to.Type().Field(i).Tag.Get("yaml"), ",")
		fields[name] = to.Field(i)
		names = append(names, name)
		if !strings.Contains(options, "omitempty") {
			required = append(required, name)
		}
	}
	seen, err := r.mapping(n, what, func(key, value *yaml.Node) *placed {
		field, known := fields[key.Value]
		if !known {
			return mistake(key, "%s has no key %q%s", what, key.Value, didYouMean(key.Value, names))
		}
		return r.read(value, field, key.Value)
	})
	if err != nil {
		return err
	}
	for _, name := range required {
		if !seen[name] {
			return mistake(n, "%s lacks the key %q", what, name)
		}
	}
	return nil
}

func (r *strictReader) byName(n *yaml.Node, to reflect.Value, what string) *placed {
	to.Set(reflect.MakeMap(to.Type()))
	_, err := r.mapping(n, what, func(key, value *yaml.Node) *placed {
		v := reflect.New(to.Type().Elem()).Elem()
		if err := r.read(value, v, fmt.Sprintf("%s %q", what, key.Value)); err != nil {
			return err
		}
		to.SetMapIndex(reflect.ValueOf(key.Value), v)
		return nil
	})
	return err
}

// mapping calls each for every key and value, and returns the keys.
func (r *strictReader) mapping(n *yaml.Node, what string, each func(key, value *yaml.Node) *placed) (map[string]bool, *placed) {
	if n.Kind != yaml.MappingNode {
		return nil, mistake(n, "%s must be a mapping, not %s", what, kindOf(n))
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			return nil, mistake(key, "a key of %s must be text, not %s", what, kindOf(key))
		}
		if seen[key.Value] {
			return nil, mistake(key, "%s has the key %q twice", what, key.Value)
		}
		seen[key.Value] = true
		if err := each(key, n.Content[i+1]); err != nil {
			return nil, err
		}
	}
	return seen, nil
}

func (r *strictReader) list(n *yaml.Node, to reflect.Value, what string) *placed {
	if n.Kind != yaml.SequenceNode {
		return mistake(n, "%s must be a list, not %s", what, kindOf(n))
	}
	if len(n.Content) > mostNodes {
		return mistake(n, "%s has %d entries; the most is %d", what, len(n.Content), mostNodes)
	}
	to.Set(reflect.MakeSlice(to.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		if err := r.read(item, to.Index(i), "an entry of "+what); err != nil {
			return err
		}
	}
	return nil
}

func scalar(n *yaml.Node, to reflect.Value, what string) *placed {
	var want string
	var tags []string
	switch {
	case to.Kind() == reflect.String:
		want, tags = "text", []string{"!!str"}
	case to.Kind() == reflect.Bool:
		want, tags = "true or false", []string{"!!bool"}
	case to.CanInt():
		want, tags = "a whole number", []string{"!!int"}
	default:
		want, tags = "a number", []string{"!!float", "!!int"}
	}
	if n.Kind != yaml.ScalarNode || !slices.Contains(tags, n.ShortTag()) {
		return mistake(n, "%s must be %s, not %s", what, want, kindOf(n))
	}
	if n.Decode(to.Addr().Interface()) != nil { // out of range
		return mistake(n, "%s must be %s of fewer digits, not %s", what, want, kindOf(n))
	}
	return nil
}

// kindOf names what a node is, for messages.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	text := n.Value
	if letters := []rune(text); len(letters) > 60 {
		text = string(letters[:60]) + "…"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!str":
		return "the text " + strconv.Quote(text)
	case "!!int", "!!float":
		return "the number " + strconv.Quote(text)
	}
	return strconv.Quote(text)
}

// didYouMean proposes the nearest of a few names for one that is not known.
func didYouMean(name string, known []string) string {
	near, ok := nearest.Word(name, known)
	if !ok {
		return "; it has " + strings.Join(known, ", ")
	}
	return fmt.Sprintf("; did you mean %q?", near)
}
