package profiles

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Limits of a profile. They are far above what a device needs, and far below
// what would make reading slow.
const (
	// MaxSize is the size of a profile's text in bytes.
	MaxSize = 1 << 20
	// maxNodes bounds the values that are looked at. An alias counts each
	// time it is used, so a small file cannot grow through aliases.
	maxNodes = 100_000
	// maxErrors is how many mistakes are collected before reading stops.
	maxErrors = 20
)

// reader walks the YAML nodes of one profile and collects mistakes.
type reader struct {
	file   string
	checks []BackendCheck
	nodes  int
	errs   Errors
	// misnamed are backends whose names are not to be suggested.
	misnamed []misnamed
	// full is set when it makes no sense to go on.
	full bool
}

func (r *reader) fail(n *yaml.Node, format string, args ...any) {
	r.failAt(positionOf(n), format, args...)
}

func (r *reader) failAt(at Position, format string, args ...any) {
	if r.full {
		return
	}
	r.errs = append(r.errs, &Error{File: r.file, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...)})
	r.full = len(r.errs) >= maxErrors
}

// positionOf is where a node starts; nowhere for nil.
func positionOf(n *yaml.Node) Position {
	if n == nil {
		return Position{}
	}
	return Position{n.Line, n.Column}
}

// document parses the text into its one document's node.
func (r *reader) document(data []byte) *yaml.Node {
	if len(data) > MaxSize {
		r.fail(nil, "the file has %d bytes; a profile has at most %d", len(data), MaxSize)
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		r.fail(nil, "the file is empty; a profile needs version, name and backends")
		return nil
	} else if err != nil {
		r.syntax(err)
		return nil
	}
	if err := dec.Decode(&second); err == nil {
		r.fail(&second, "a second YAML document starts here; a profile is one document")
		return nil
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
		return nil
	}
	return doc.Content[0]
}

var syntaxLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)

// syntax records an error of the YAML parser, which knows lines only.
func (r *reader) syntax(err error) {
	e := &Error{File: r.file, Message: strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Message = m[2]
	}
	e.Message = "not YAML: " + strings.ReplaceAll(e.Message, "\n", "; ")
	r.errs = append(r.errs, e)
	r.full = true
}

// see counts a node and follows an alias to its anchor. It returns nil when the
// budget is spent.
func (r *reader) see(n *yaml.Node) *yaml.Node {
	if r.full {
		return nil
	}
	r.nodes++
	if r.nodes > maxNodes {
		r.fail(n, "too many values (aliases count each time they are used)")
		r.full = true
		return nil
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// kindOf names what a node is, for messages.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!str":
		return "the text " + strconv.Quote(clip(n.Value))
	case "!!int", "!!float":
		return "the number " + clip(n.Value)
	case "!!bool":
		return clip(n.Value)
	}
	return "the value " + strconv.Quote(clip(n.Value)) // of a type that a tag names
}

// clip shortens text from a file for a message of one line.
func clip(s string) string {
	s = strings.Map(func(c rune) rune {
		if !strconv.IsPrint(c) {
			return ' '
		}
		return c
	}, s)
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// field is one key of a mapping and who reads its value.
type field struct {
	name     string
	required bool
	read     func(value *yaml.Node)
}

// mapping reads a mapping with known keys.
func (r *reader) mapping(n *yaml.Node, what string, fields []field) {
	at := n
	if n = r.see(n); n == nil {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.fail(at, "%s must be a mapping, not %s", what, kindOf(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		f := r.key(key, what, fields, seen)
		if f == nil {
			continue
		}
		f.read(n.Content[i+1])
	}
	for _, f := range fields {
		if _, given := seen[f.name]; f.required && !given {
			r.fail(at, "%s lacks the key %q", what, f.name)
		}
	}
}

// key finds the field of a key, or records why there is none.
func (r *reader) key(key *yaml.Node, what string, fields []field, seen map[string]int) *field {
	k := r.see(key)
	if k == nil {
		return nil
	}
	if k.Kind != yaml.ScalarNode {
		r.fail(key, "a key of %s must be text, not %s", what, kindOf(k))
		return nil
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	at := slices.Index(names, k.Value)
	if at < 0 {
		r.fail(key, "%s has no key %q%s", what, clip(k.Value), suggest(k.Value, names))
		return nil
	}
	if line, twice := seen[k.Value]; twice {
		r.fail(key, "key %q is given twice in %s, first on line %d", k.Value, what, line)
		return nil
	}
	seen[k.Value] = key.Line
	return &fields[at]
}

// items calls each for every element of a list.
func (r *reader) items(n *yaml.Node, what string, most int, each func(i int, item *yaml.Node)) {
	at := n
	if n = r.see(n); n == nil {
		return
	}
	if n.Kind != yaml.SequenceNode {
		r.fail(at, "%s must be a list, not %s", what, kindOf(n))
		return
	}
	if len(n.Content) > most {
		r.fail(at, "%s has %d entries; at most %d are allowed", what, len(n.Content), most)
		return
	}
	for i, item := range n.Content {
		each(i, item)
	}
}

// oneOrMore calls each for a single value or for every element of a list, which
// must not be empty.
func (r *reader) oneOrMore(n *yaml.Node, what string, each func(item *yaml.Node)) {
	target := r.see(n)
	if target == nil {
		return
	}
	if target.Kind != yaml.SequenceNode {
		each(n)
		return
	}
	if len(target.Content) == 0 {
		r.fail(n, "%s is an empty list; leave the key out instead", what)
	}
	for _, item := range target.Content {
		each(item)
	}
}

// text reads a scalar that is text.
func (r *reader) text(n *yaml.Node, what string, longest int) (string, bool) {
	at := n
	if n = r.see(n); n == nil {
		return "", false
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		r.fail(at, "%s must be text, not %s%s", what, kindOf(n), quoteHint(n))
		return "", false
	}
	if n.Value == "" {
		r.fail(at, "%s is empty", what)
		return "", false
	}
	if len(n.Value) > longest {
		r.fail(at, "%s has %d bytes; at most %d are allowed", what, len(n.Value), longest)
		return "", false
	}
	return n.Value, true
}

// quoteHint helps with values that YAML takes for something else than text.
func quoteHint(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && n.Value != "" {
		return "; put it in quotes"
	}
	return ""
}

// choice reads one of a few texts.
func (r *reader) choice(n *yaml.Node, what string, names []string) (string, bool) {
	s, ok := r.text(n, what, 200)
	if !ok {
		return "", false
	}
	if !slices.Contains(names, s) {
		r.fail(n, "%s %q is not known%s", what, clip(s), suggest(s, names))
		return "", false
	}
	return s, true
}

// integer reads a whole number in a range.
func (r *reader) integer(n *yaml.Node, what string, least, most int) (int, bool) {
	at := n
	if n = r.see(n); n == nil {
		return 0, false
	}
	var v int
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(&v) != nil {
		r.fail(at, "%s must be a whole number, not %s", what, kindOf(n))
		return 0, false
	}
	if v < least || v > most {
		r.fail(at, "%s is %d; it must be from %d to %d", what, v, least, most)
		return 0, false
	}
	return v, true
}

// scalar reads an int, bool, float64 or string.
func (r *reader) scalar(n *yaml.Node, what string) (any, bool) {
	at := n
	if n = r.see(n); n == nil {
		return nil, false
	}
	if n.Kind == yaml.ScalarNode {
		var err error
		switch n.ShortTag() {
		case "!!int":
			var v int
			if err = n.Decode(&v); err == nil {
				return v, true
			}
		case "!!bool":
			var v bool
			if err = n.Decode(&v); err == nil {
				return v, true
			}
		case "!!float":
			var v float64
			if err = n.Decode(&v); err == nil {
				return v, true
			}
		case "!!str":
			if len(n.Value) <= maxText {
				return n.Value, true
			}
		}
	}
	r.fail(at, "%s must be a number, true, false or text, not %s", what, kindOf(n))
	return nil, false
}
