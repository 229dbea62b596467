package text

// trie is a set of byte strings with a number each.
type trie struct {
	// children maps node<<8 | byte to a node; the root is node 0.
	children map[uint64]uint32
	// ends maps a node to its string's number.
	ends  map[uint32]int32
	nodes uint32
}

func newTrie() *trie {
	return &trie{children: map[uint64]uint32{}, ends: map[uint32]int32{}, nodes: 1}
}

// insert adds a string, unless it is there already.
func (t *trie) insert(s string, number int32) (added bool) {
	node := uint32(0)
	for i := range len(s) {
		key := uint64(node)<<8 | uint64(s[i])
		next, ok := t.children[key]
		if !ok {
			next = t.nodes
			t.nodes++
			t.children[key] = next
		}
		node = next
	}
	if _, taken := t.ends[node]; taken {
		return false
	}
	t.ends[node] = number
	return true
}

// step goes from a node along a byte.
func (t *trie) step(node uint32, b byte) (next uint32, ok bool) {
	next, ok = t.children[uint64(node)<<8|uint64(b)]
	return next, ok
}

// longest is the length of the longest string of the set that s begins with.
func (t *trie) longest(s string) int {
	node, length := uint32(0), 0
	for i := range len(s) {
		next, ok := t.step(node, s[i])
		if !ok {
			break
		}
		node = next
		if _, end := t.ends[node]; end {
			length = i + 1
		}
	}
	return length
}
