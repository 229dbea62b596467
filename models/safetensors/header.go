package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"
)

// headerLimit is the format's own limit on the header.
const headerLimit = 100_000_000

// Read takes a file in memory; tensors alias data. name is for error messages.
func Read(data []byte, name string) (*File, error) {
	f := &File{name: name, tensors: map[string]Tensor{}}
	if err := f.read(data); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
	}
	return f, nil
}

func (f *File) read(data []byte) error {
	if len(data) < 8 {
		return fmt.Errorf("%d bytes, too few for the length of a header", len(data))
	}
	length := binary.LittleEndian.Uint64(data)
	if length > headerLimit {
		return fmt.Errorf("the header's length is %d; the most is %d", length, headerLimit)
	}
	if length > uint64(len(data)-8) {
		return fmt.Errorf("the header has %d bytes, the file only %d after its length; it may be cut short", length, len(data)-8)
	}
	raw, body := data[8:8+length], data[8+length:]
	if len(raw) == 0 || raw[0] != '{' {
		return errors.New("the header does not begin with {")
	}
	if !utf8.Valid(raw) {
		return errors.New("the header is not UTF-8")
	}
	if err := checkSurrogates(raw); err != nil {
		return err
	}
	p := &parser{json.NewDecoder(bytes.NewReader(raw))}
	p.UseNumber()
	entries, err := p.header(f)
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	return f.place(entries, body)
}

// entry is a tensor's line in the header.
type entry struct {
	Tensor
	begin, end int
}

// place checks that the ranges cover the data without gap or overlap.
func (f *File) place(entries []entry, body []byte) error {
	slices.SortStableFunc(entries, func(a, b entry) int {
		if a.begin != b.begin {
			return a.begin - b.begin
		}
		return a.end - b.end
	})
	at := 0
	for _, e := range entries {
		if e.begin != at || e.end < e.begin {
			return fmt.Errorf("tensor %q: range %d to %d, must begin at %d where the one before it ends", e.Name, e.begin, e.end, at)
		}
		if e.end > len(body) {
			return fmt.Errorf("tensor %q: range %d to %d is outside the data of %d bytes; the file may be cut short", e.Name, e.begin, e.end, len(body))
		}
		want, ok := bytesOf(e.DType, e.Shape)
		if !ok || want != e.end-e.begin {
			return fmt.Errorf("tensor %q: %s %v does not take the %d bytes of its range", e.Name, e.DType, e.Shape, e.end-e.begin)
		}
		e.Data = body[e.begin:e.end:e.end]
		at = e.end
		f.tensors[e.Name] = e.Tensor
		f.names = append(f.names, e.Name)
	}
	if at != len(body) {
		return fmt.Errorf("%d bytes after the last tensor", len(body)-at)
	}
	slices.Sort(f.names)
	return nil
}

// parser reads the header token by token: equal names and wrong types are
// errors, and nothing is recursive.
type parser struct{ *json.Decoder }

func (p *parser) header(f *File) ([]entry, error) {
	var entries []entry
	err := p.object("header", func(name string) error {
		if name == "__metadata__" {
			f.Metadata = map[string]string{}
			return p.object("__metadata__", func(key string) error {
				value, err := p.text("__metadata__ " + strconv.Quote(key))
				f.Metadata[key] = value
				return err
			})
		}
		e, err := p.entry(name)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return entries, p.end()
}

// end checks that nothing but white space follows.
func (p *parser) end() error {
	if _, err := p.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more follows after the JSON value")
	}
	return nil
}

func (p *parser) entry(name string) (entry, error) {
	e := entry{Tensor: Tensor{Name: name}}
	seen := 0
	err := p.object("entry", func(key string) (err error) {
		switch key {
		case "dtype":
			seen |= 1
			if e.DType, err = p.text("dtype"); err == nil && bitsOf(e.DType) == 0 {
				err = fmt.Errorf("unknown dtype %q", e.DType)
			}
		case "shape":
			seen |= 2
			e.Shape, err = p.sizes("shape")
		case "data_offsets":
			seen |= 4
			var offsets []int
			if offsets, err = p.sizes("data_offsets"); err == nil && len(offsets) != 2 {
				err = fmt.Errorf("%d data_offsets, must be 2", len(offsets))
			}
			if err == nil {
				e.begin, e.end = offsets[0], offsets[1]
			}
		default:
			err = p.skip()
		}
		return err
	})
	if err == nil && seen != 7 {
		err = errors.New("dtype, shape and data_offsets are needed")
	}
	return e, err
}

// object calls member for each key of an object, which must read the value.
func (p *parser) object(what string, member func(key string) error) error {
	if err := p.delim('{', what); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.More() {
		key, err := p.text("a name")
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("%s has the name %q twice", what, key)
		}
		seen[key] = true
		if err := member(key); err != nil {
			return err
		}
	}
	return p.delim('}', what)
}

func (p *parser) delim(want json.Delim, what string) error {
	t, err := p.Token()
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	if t != want {
		return fmt.Errorf("%s: found %s where %v must be", what, shown(t), want)
	}
	return nil
}

func (p *parser) text(what string) (string, error) {
	t, err := p.Token()
	if err != nil {
		return "", fmt.Errorf("not JSON: %w", err)
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%s is %s, must be a string", what, shown(t))
	}
	return s, nil
}

// shown is a token as a message shows it.
func shown(t json.Token) string {
	if s, ok := t.(string); ok {
		if len(s) > 60 {
			s = s[:60] + "…"
		}
		return strconv.Quote(s)
	}
	return fmt.Sprint(t)
}

// sizes reads an array of whole numbers that are not negative.
func (p *parser) sizes(what string) ([]int, error) {
	if err := p.delim('[', what); err != nil {
		return nil, err
	}
	list := []int{}
	for p.More() {
		t, err := p.Token()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		number, ok := t.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%s holds %s, must hold whole numbers", what, shown(t))
		}
		n, err := strconv.ParseUint(number.String(), 10, strconv.IntSize-1)
		if err != nil {
			return nil, fmt.Errorf("%s holds %s, must hold whole numbers below 2^%d", what, number, strconv.IntSize-1)
		}
		list = append(list, int(n))
	}
	return list, p.delim(']', what)
}

// skip passes over a value of any kind, which later versions of the format may
// bring.
func (p *parser) skip() error {
	depth := 0
	for {
		t, err := p.Token()
		if err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
		if d, ok := t.(json.Delim); ok {
			if d == '{' || d == '[' {
				depth++
			} else {
				depth--
			}
		}
		if depth > 64 {
			return errors.New("values are nested too deep")
		}
		if depth == 0 {
			return nil
		}
	}
}

// checkSurrogates refuses \u escapes of half a surrogate pair, which
// encoding/json replaces in silence.
func checkSurrogates(raw []byte) error {
	hex := func(i int) (uint64, bool) {
		if i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
			return 0, false
		}
		v, err := strconv.ParseUint(string(raw[i+2:i+6]), 16, 16)
		return v, err == nil
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		v, ok := hex(i)
		if !ok {
			i++ // the escaped character
			continue
		}
		i += 5
		switch {
		case v >= 0xDC00 && v < 0xE000:
			return errors.New("a name escapes half a surrogate pair")
		case v >= 0xD800 && v < 0xDC00:
			low, ok := hex(i + 1)
			if !ok || low < 0xDC00 || low >= 0xE000 {
				return errors.New("a name escapes half a surrogate pair")
			}
			i += 6
		}
	}
	return nil
}
