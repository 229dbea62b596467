package profiles

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// Sizes of single entries.
const (
	maxName     = 64
	maxText     = 2000
	maxBackends = 16
	maxRules    = 10_000
	maxOptions  = 100
)

// Parse reads a profile from its text; name is for messages. The checks look at
// its backends. The error wraps ErrInvalid and is of type Errors: every mistake,
// the checks' findings among them.
func Parse(data []byte, name string, checks ...BackendCheck) (*Profile, error) {
	r := &reader{file: name, checks: checks}
	p := &Profile{File: name, Policy: Warn}
	if root := r.document(data); root != nil {
		r.profile(root, p)
	}
	if err := r.result(); err != nil {
		return nil, err
	}
	return p, nil
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func (r *reader) profile(root *yaml.Node, p *Profile) {
	var rules *yaml.Node // read last: they name backends
	r.mapping(root, "a profile", []field{
		{"version", true, func(n *yaml.Node) {
			if v, ok := r.integer(n, "version", 1, math.MaxInt32); ok && v != FormatVersion {
				r.fail(n, "version %d is newer than this program, which reads version %d", v, FormatVersion)
			} else {
				p.Version = v
			}
		}},
		{"name", true, func(n *yaml.Node) { p.Name = r.name(n, "the profile's name") }},
		{"description", false, func(n *yaml.Node) { p.Description, _ = r.text(n, "description", maxText) }},
		{"match", false, func(n *yaml.Node) { r.match(n, &p.Match) }},
		{"backends", true, func(n *yaml.Node) { r.backends(n, p) }},
		{"rewrites", false, func(n *yaml.Node) { p.Rewrites = r.rewrites(n) }},
		{"rules", false, func(n *yaml.Node) { rules = n }},
		{"policy", false, func(n *yaml.Node) {
			s, _ := r.choice(n, "policy", []string{string(Fail), string(Warn), string(Fallback)})
			p.Policy = Policy(s)
		}},
	})
	if rules != nil {
		r.items(rules, "rules", maxRules, func(i int, n *yaml.Node) { r.rule(n, i+1, p) })
	}
}

// name reads an identifier.
func (r *reader) name(n *yaml.Node, what string) string {
	s, ok := r.text(n, what, maxName)
	if ok && !nameForm.MatchString(s) {
		r.fail(n, "%s %q may hold only letters, digits and . _ -, and starts with a letter or digit", what, clip(s))
	}
	return s
}

func (r *reader) texts(n *yaml.Node, what string) (list []string) {
	r.oneOrMore(n, what, func(item *yaml.Node) {
		if s, ok := r.text(item, what, maxText); ok {
			list = append(list, s)
		}
	})
	return list
}

func (r *reader) match(n *yaml.Node, m *Match) {
	r.mapping(n, "match", []field{
		{"soc", false, func(n *yaml.Node) { m.SoC = r.texts(n, "soc") }},
		{"platform", false, func(n *yaml.Node) { m.Platform = r.texts(n, "platform") }},
	})
}

func (r *reader) backends(n *yaml.Node, p *Profile) {
	r.items(n, "backends", maxBackends, func(i int, n *yaml.Node) {
		b := Backend{Line: n.Line, Options: map[string]any{}}
		nameAt, kindIsRead := n, false
		r.mapping(n, fmt.Sprintf("backend %d", i+1), []field{
			{"name", false, func(n *yaml.Node) { nameAt, b.Name = n, r.name(n, "a backend's name") }},
			{"kind", true, func(n *yaml.Node) {
				before := len(r.errs)
				b.Kind, b.at.kind = r.name(n, "a backend's kind"), positionOf(n)
				kindIsRead = len(r.errs) == before
			}},
			{"options", false, func(n *yaml.Node) { r.options(n, &b) }},
			{"trusted", false, func(n *yaml.Node) { b.Trusted = r.boolean(n, "trusted") }},
			{"deadline", false, func(n *yaml.Node) { b.Deadline = r.seconds(n, "deadline") }},
		})
		if b.Name == "" {
			b.Name = b.Kind
		}
		if other, taken := p.Backend(b.Name); taken && b.Name != "" {
			r.fail(nameAt, "backend name %q is taken by the backend on line %d; give each a name of its own", b.Name, other.Line)
		}
		p.Backends = append(p.Backends, b)
		if kindIsRead {
			for _, check := range r.checks {
				r.check(b, check)
			}
		}
	})
	if len(p.Backends) == 0 && len(r.errs) == 0 {
		r.fail(n, "backends is empty; a profile needs at least one")
	}
}

// maxDeadline is a day.
const maxDeadline = 86400

func (r *reader) boolean(n *yaml.Node, what string) bool {
	v, ok := r.scalar(n, what)
	b, isBool := v.(bool)
	if ok && !isBool {
		r.fail(n, "%s must be true or false, not %s", what, kindOf(n))
	}
	return b
}

func (r *reader) seconds(n *yaml.Node, what string) float64 {
	v, ok := r.scalar(n, what)
	if whole, isInt := v.(int); isInt {
		v = float64(whole)
	}
	s, isNumber := v.(float64)
	if ok && !(isNumber && s > 0 && s <= maxDeadline) {
		r.fail(n, "%s must be a number of seconds, above 0 and at most %d, not %s", what, maxDeadline, kindOf(n))
		return 0
	}
	return s
}

// options reads a mapping of scalars. Which keys there are is the backend's
// matter, so only their form is checked here.
func (r *reader) options(n *yaml.Node, b *Backend) {
	at := n
	if n = r.see(n); n == nil {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.fail(at, "options must be a mapping, not %s", kindOf(n))
		return
	}
	if len(n.Content)/2 > maxOptions {
		r.fail(at, "options has %d keys; at most %d are allowed", len(n.Content)/2, maxOptions)
		return
	}
	b.at.options = make(map[string]optionPlace, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name, ok := r.text(key, "an option's name", maxName)
		if !ok {
			continue
		}
		if _, twice := b.Options[name]; twice {
			r.fail(key, "option %q is given twice", name)
			continue
		}
		if v, ok := r.scalar(value, "option "+name); ok {
			b.Options[name] = v
			b.at.options[name] = optionPlace{positionOf(key), positionOf(value)}
		}
	}
}

func (r *reader) rule(n *yaml.Node, number int, p *Profile) {
	what := fmt.Sprintf("rule %d", number)
	rule := Rule{Line: n.Line}
	before := len(r.errs)
	r.mapping(n, what, []field{
		{"op", false, func(n *yaml.Node) { r.oneOrMore(n, "op", func(n *yaml.Node) { r.opType(n, &rule) }) }},
		{"name", false, func(n *yaml.Node) { rule.Names = r.texts(n, "name") }},
		{"index", false, func(n *yaml.Node) { r.oneOrMore(n, "index", func(n *yaml.Node) { r.indices(n, &rule) }) }},
		{"type", false, func(n *yaml.Node) { r.oneOrMore(n, "type", func(n *yaml.Node) { r.elementType(n, &rule) }) }},
		{"part", false, func(n *yaml.Node) { rule.Parts = r.texts(n, "part") }},
		{"backend", false, func(n *yaml.Node) { rule.Backends = r.backendNames(n, p) }},
		{"avoid", false, func(n *yaml.Node) { rule.Avoid = r.backendNames(n, p) }},
		{"because", false, func(n *yaml.Node) { rule.Because, _ = r.text(n, "because", maxText) }},
	})
	if len(r.errs) == before {
		switch {
		case rule.Backends == nil && rule.Avoid == nil:
			r.fail(n, "%s says neither backend nor avoid", what)
		case rule.Backends != nil && rule.Avoid != nil:
			r.fail(n, "%s says both backend and avoid; make two rules of it", what)
		}
	}
	p.Rules = append(p.Rules, rule)
}

const customPrefix = "CUSTOM:"

// opNames are the operator types of the format. The number that only marks the
// end of the format's old numbering is not one.
var opNames = func() []string {
	var names []string
	for name := range schema.EnumValuesBuiltinOperator {
		if name != schema.BuiltinOperatorPLACEHOLDER_FOR_GREATER_OP_CODES.String() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}()

func (r *reader) opType(n *yaml.Node, rule *Rule) {
	s, ok := r.text(n, "op", maxText)
	if !ok {
		return
	}
	if _, known := slices.BinarySearch(opNames, s); !known && !(strings.HasPrefix(s, customPrefix) && len(s) > len(customPrefix)) {
		r.fail(n, "operator type %q is not known%s", clip(s), suggest(s, opNames))
		return
	}
	rule.Ops = append(rule.Ops, s)
}

var typeNames = func() []string {
	var names []string
	for name := range schema.EnumValuesTensorType {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}()

func (r *reader) elementType(n *yaml.Node, rule *Rule) {
	s, ok := r.text(n, "type", maxText)
	if !ok {
		return
	}
	t, known := schema.EnumValuesTensorType[s]
	if !known {
		r.fail(n, "element type %q is not known%s", clip(s), suggest(s, typeNames))
		return
	}
	rule.Types = append(rule.Types, graph.TensorType(t))
}

var rangeForm = regexp.MustCompile(`^([0-9]+)-([0-9]*)$`)

// indices reads 7, "3-9" or "3-" (to the end).
func (r *reader) indices(n *yaml.Node, rule *Rule) {
	target := n
	if target.Kind == yaml.AliasNode {
		target = target.Alias
	}
	if target.Kind == yaml.ScalarNode && target.ShortTag() == "!!int" {
		if v, ok := r.integer(n, "index", 0, math.MaxInt32); ok {
			rule.Indices = append(rule.Indices, Range{v, v})
		}
		return
	}
	if r.see(n) == nil {
		return
	}
	m := rangeForm.FindStringSubmatch(target.Value)
	if target.Kind != yaml.ScalarNode || m == nil {
		r.fail(n, "index must be a number (7), a range (3-9) or a list of these, not %s", kindOf(target))
		return
	}
	first, err := strconv.ParseInt(m[1], 10, 32)
	last := int64(math.MaxInt32)
	if m[2] != "" && err == nil {
		last, err = strconv.ParseInt(m[2], 10, 32)
	}
	if err != nil {
		r.fail(n, "index %s is too large", clip(target.Value))
		return
	}
	if last < first {
		r.fail(n, "index %s ends before it starts", target.Value)
		return
	}
	rule.Indices = append(rule.Indices, Range{int(first), int(last)})
}

func (r *reader) backendNames(n *yaml.Node, p *Profile) (names []string) {
	valid := make([]string, len(p.Backends))
	for i, b := range p.Backends {
		valid[i] = b.Name
	}
	for _, m := range r.misnamed {
		i := slices.Index(valid, m.name)
		valid = slices.Delete(valid, i, i+1)
		if m.meant != "" {
			valid = append(valid, m.meant)
		}
	}
	r.oneOrMore(n, "a list of backends", func(item *yaml.Node) {
		s, ok := r.choice(item, "backend", valid)
		if !ok {
			return
		}
		if slices.Contains(names, s) {
			r.fail(item, "backend %q is listed twice", s)
			return
		}
		names = append(names, s)
	})
	return names
}
