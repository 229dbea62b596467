package npy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"nanoflux/graph"
)

type header struct {
	kind      graph.TensorType
	bigEndian bool
	shape     []int
}

// parseHeader reads the Python dictionary with the keys descr, fortran_order
// and shape, in any order.
func parseHeader(s string) (header, error) {
	p := &parser{rest: s}
	var h header
	seen := map[string]bool{}
	p.expect("{")
	for p.err == nil && !p.take("}") {
		key := p.quoted()
		p.expect(":")
		if seen[key] {
			p.fail("key %q twice", key)
		}
		seen[key] = true
		switch key {
		case "descr":
			h.kind, h.bigEndian = p.kind()
		case "fortran_order":
			if p.take("True") {
				return h, errors.New("the array is in Fortran order; save it with numpy.ascontiguousarray")
			}
			p.expect("False")
		case "shape":
			h.shape = p.shape()
		default:
			p.fail("unknown key %q", key)
		}
		if !p.take(",") && p.err == nil {
			p.expect("}")
			break
		}
	}
	if p.err == nil && strings.TrimRight(p.rest, " \n\x00") != "" {
		p.fail("text after the dictionary")
	}
	if p.err == nil && len(seen) != 3 {
		p.fail("descr, fortran_order or shape is missing")
	}
	return h, p.err
}

// parser reads the few Python literals that a header has. After the first
// error every method does nothing.
type parser struct {
	rest string
	err  error
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// take skips white space and then token, if it is there.
func (p *parser) take(token string) bool {
	p.rest = strings.TrimLeft(p.rest, " \t\n")
	if p.err != nil || !strings.HasPrefix(p.rest, token) {
		return false
	}
	p.rest = p.rest[len(token):]
	return true
}

func (p *parser) expect(token string) {
	if !p.take(token) {
		p.fail("%q expected at %.20q", token, p.rest)
	}
}

// quoted reads a string in single or double quotes, without escapes.
func (p *parser) quoted() string {
	for _, quote := range []string{"'", `"`} {
		if p.take(quote) {
			end := strings.Index(p.rest, quote)
			if end < 0 {
				break
			}
			s := p.rest[:end]
			p.rest = p.rest[end+1:]
			return s
		}
	}
	p.fail("a string expected at %.20q", p.rest)
	return ""
}

func (p *parser) kind() (t graph.TensorType, bigEndian bool) {
	if p.take("[") {
		p.fail("a structured type; takes plain numbers")
		return 0, false
	}
	s := p.quoted()
	if p.err != nil {
		return 0, false
	}
	if len(s) > 1 {
		if t, ok := kinds[s[1:]]; ok && strings.ContainsRune("<>|=", rune(s[0])) {
			return t, s[0] == '>'
		}
	}
	p.fail("type %.20q; takes floats, integers and bools of 1 to 8 bytes", s)
	return 0, false
}

// shape reads a tuple: (), (3,), (1, 2).
func (p *parser) shape() []int {
	p.expect("(")
	shape := []int{}
	for p.err == nil && !p.take(")") {
		p.take("") // white space
		n := 0
		for n < len(p.rest) && p.rest[n] >= '0' && p.rest[n] <= '9' {
			n++
		}
		d, err := strconv.Atoi(p.rest[:n])
		if err != nil {
			p.fail("a size expected at %.20q", p.rest)
			return nil
		}
		p.rest = p.rest[n:]
		shape = append(shape, d)
		if len(shape) > maxRank {
			p.fail("more than %d dimensions", maxRank)
		}
		if !p.take(",") && p.err == nil {
			p.expect(")")
			break
		}
	}
	return shape
}
