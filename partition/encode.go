package partition

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Limits of a stored plan. The largest models have some ten thousand operators.
const (
	// maxPlanSize is its size in bytes.
	maxPlanSize = 16 << 20
	// maxOperators is how many operators its segments hold together.
	maxOperators = 1 << 20
)

// stored is the plan with its fingerprint.
func (p *Plan) stored() *Plan {
	s := *p
	if s.of != nil {
		s.Fingerprint = s.of.Fingerprint()
	}
	return &s
}

// YAML is the plan in the form that ReadPlan reads. The model must still be open:
// its fingerprint is taken.
func (p *Plan) YAML() ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(p.stored()); err != nil {
		return nil, fmt.Errorf("plan as YAML: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("plan as YAML: %w", err)
	}
	return b.Bytes(), nil
}

// JSON is the plan for other programs. The model must still be open.
func (p *Plan) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(p.stored(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("plan as JSON: %w", err)
	}
	return append(data, '\n'), nil
}

// ReadPlan reads a plan's YAML; name is for messages. The error wraps ErrPlan.
// What it says is not checked against a model: Validate does that.
func ReadPlan(data []byte, name string) (*Plan, error) {
	if len(data) > maxPlanSize {
		return nil, fmt.Errorf("%w: %s has %d bytes; a plan has at most %d", ErrPlan, name, len(data), maxPlanSize)
	}
	fail := func(err error) error {
		return fmt.Errorf("%w: %s: %s", ErrPlan, name, strings.Join(strings.Fields(err.Error()), " "))
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, fail(err)
	}
	if root.Kind == 0 {
		return nil, fmt.Errorf("%w: %s is empty", ErrPlan, name)
	}
	operators := 0
	if err := measure(&root, &operators); err != nil {
		return nil, fail(err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	var p Plan
	if err := dec.Decode(&p); err != nil {
		return nil, fail(err)
	}
	if p.Version != PlanVersion {
		return nil, fmt.Errorf("%w: %s: the plan has version %d, not %d", ErrPlan, name, p.Version, PlanVersion)
	}
	return &p, nil
}

// MarshalYAML writes what String gives.
func (o Ops) MarshalYAML() (any, error) { return o.String(), nil }

// UnmarshalYAML reads what MarshalYAML writes.
func (o *Ops) UnmarshalYAML(n *yaml.Node) error {
	ranges, _, err := parseOps(n)
	if err != nil {
		return err
	}
	*o = nil
	for _, r := range ranges {
		for i := r[0]; i <= r[1]; i++ {
			*o = append(*o, i)
		}
	}
	return nil
}

// parseOps reads "0-5, 9" as ranges and says how many operators they hold.
func parseOps(n *yaml.Node) (ranges [][2]int, total int, err error) {
	if n.Kind != yaml.ScalarNode {
		return nil, 0, fmt.Errorf("line %d: operators are written like 0-5, 9", n.Line)
	}
	if n.Value == "" {
		return nil, 0, nil
	}
	for text := range strings.SplitSeq(n.Value, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(text), "-")
		first, err := strconv.ParseUint(from, 10, 31)
		last := first
		if err == nil && isRange {
			last, err = strconv.ParseUint(to, 10, 31)
		}
		if err != nil || last < first {
			return nil, 0, fmt.Errorf("line %d: %q is no operator and no range of operators", n.Line, strings.TrimSpace(text))
		}
		if total += int(last-first) + 1; total > maxOperators {
			return nil, 0, fmt.Errorf("line %d: too many operators", n.Line)
		}
		ranges = append(ranges, [2]int{int(first), int(last)})
	}
	return ranges, total, nil
}

// measure walks a stored plan before it is decoded. Ranges and aliases could
// make a small file large in memory: the operators of all ranges together are
// bounded, and aliases, which plans never hold, are refused.
func measure(n *yaml.Node, operators *int) error {
	if n.Kind == yaml.AliasNode {
		return fmt.Errorf("line %d: aliases are not allowed in a plan", n.Line)
	}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && slices.Contains([]string{"ops", "unused", "avoided"}, n.Content[i-1].Value) {
			_, total, err := parseOps(child)
			if err != nil {
				return err
			}
			if *operators += total; *operators > maxOperators {
				return fmt.Errorf("line %d: too many operators", child.Line)
			}
			continue
		}
		if err := measure(child, operators); err != nil {
			return err
		}
	}
	return nil
}
