package bundle

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Compiled is a segment of a part that a vendor's compiler made ready for one
// chip, ahead of time.
type Compiled struct {
	Part string `yaml:"part" json:"part"`
	// Segment is the fingerprint of the segment's model (graph.Model.Fingerprint).
	Segment string `yaml:"segment" json:"segment"`
	// Kind is the kind of backend that reads it.
	Kind string `yaml:"kind" json:"kind"`
	// SoC is the chip that it is for, as the backend's option names it.
	SoC string `yaml:"soc" json:"soc"`
	// Library is the version of the compiler: a product and its number, "QNN 2.40".
	Library string `yaml:"library" json:"library"`
	File    string `yaml:"file" json:"file"`
}

// mostCompiled bounds the list.
const mostCompiled = 10_000

func (m *Manifest) checkCompiled() error {
	if len(m.Compiled) > mostCompiled {
		return fmt.Errorf("%d compiled segments; the most is %d", len(m.Compiled), mostCompiled)
	}
	for i, c := range m.Compiled {
		at := fmt.Sprintf("compiled segment %d", i+1)
		if _, ok := m.Parts[c.Part]; !ok {
			return fmt.Errorf("%s is of part %q, which is not under parts", at, c.Part)
		}
		if !hexHash.MatchString(c.Segment) {
			return fmt.Errorf("%s: segment is %q, must be a fingerprint of 64 hexadecimal digits", at, c.Segment)
		}
		for _, x := range []struct{ key, value string }{{"kind", c.Kind}, {"soc", c.SoC}, {"library", c.Library}} {
			if x.value == "" || !plain(x.value) {
				return fmt.Errorf("%s: %s is %q, must be up to %d printable characters", at, x.key, x.value, longestName)
			}
		}
		if _, listed := m.Files[c.File]; !listed {
			return fmt.Errorf("%s names file %q, which is not under files", at, c.File)
		}
	}
	return nil
}

// Contents are all files but the manifest, by name, after comparing their sizes
// and hashes: what WriteFile wants. They are valid until Close.
func (b *Bundle) Contents(ctx context.Context) (map[string][]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	contents := make(map[string][]byte, len(b.manifest.Files))
	for _, name := range slices.Sorted(maps.Keys(b.manifest.Files)) {
		data, err := b.file(ctx, name)
		if err != nil {
			return nil, err
		}
		contents[name] = data
	}
	return contents, nil
}

// Choose finds the code of a segment: of a part, by its fingerprint, for a kind of
// backend with these versions of the vendor's libraries ("QNN 2.40, onnxruntime
// 1.29"; a product that is not named is not compared), on a chip. Where there is
// code for that kind of backend but none that fits, warning says why not; where
// there is none at all, both are empty.
func (m *Manifest) Choose(part, segment, kind, soc, library string) (file, warning string) {
	list := slices.Clone(m.Compiled)
	keep := func(fits func(Compiled) bool) bool {
		list = slices.DeleteFunc(list, func(c Compiled) bool { return !fits(c) })
		return len(list) > 0
	}
	names := func(name func(Compiled) string) string {
		var all []string
		for _, c := range list {
			all = append(all, name(c))
		}
		slices.Sort(all)
		return strings.Join(slices.Compact(all), ", ")
	}
	if !keep(func(c Compiled) bool { return c.Part == part && c.Kind == kind }) {
		return "", ""
	}
	refuse := func(why string) (string, string) {
		return "", fmt.Sprintf("what %s has compiled of its %s for %s is not used: %s; nanoflux compile makes it anew", m.Name, part, kind, why)
	}
	if has := names(func(c Compiled) string { return c.SoC }); !keep(func(c Compiled) bool { return strings.EqualFold(c.SoC, soc) }) {
		return refuse(fmt.Sprintf("it is for %s, and this is %s", has, soc))
	}
	if has := names(func(c Compiled) string { return c.Library }); !keep(func(c Compiled) bool { return sameVersion(c.Library, library) }) {
		return refuse(fmt.Sprintf("it was made by %s, and here is %s", has, library))
	}
	if !keep(func(c Compiled) bool { return c.Segment == segment }) {
		return refuse("the profile's rewrites and rules make other segments")
	}
	return list[0].File, ""
}

// sameVersion says whether no product of made ("QNN 2.40, HTP 5.51") is here in
// another version.
func sameVersion(made, here string) bool {
	versions := map[string]string{}
	for product := range strings.SplitSeq(here, ", ") {
		name, version, _ := strings.Cut(product, " ")
		versions[name] = version
	}
	for product := range strings.SplitSeq(made, ", ") {
		name, version, _ := strings.Cut(product, " ")
		if is, there := versions[name]; there && is != version {
			return false
		}
	}
	return true
}
