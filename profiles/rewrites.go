package profiles

import (
	"slices"

	"gopkg.in/yaml.v3"

	"nanoflux/graph/rewrite"
)

// passNames are the names of all rewrites, sorted.
var passNames = func() []string {
	var names []string
	for _, p := range rewrite.Passes() {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}()

// rewrites reads names of passes. They are kept in the order of the file, which
// does not count.
func (r *reader) rewrites(n *yaml.Node) (names []string) {
	before := len(r.errs)
	r.oneOrMore(n, "rewrites", func(item *yaml.Node) {
		s, ok := r.choice(item, "rewrite", passNames)
		if !ok {
			return
		}
		if slices.Contains(names, s) {
			r.fail(item, "rewrite %q is listed twice", s)
			return
		}
		names = append(names, s)
	})
	if _, err := rewrite.ByName(names); err != nil && len(r.errs) == before {
		r.fail(n, "%v", err) // passes that exclude each other
	}
	return names
}
