package recording

import (
	"crypto/sha256"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// rootOf is the definition of RFC 9162 section 2.1.1, without the state that tree keeps.
func rootOf(leaves []digest) digest {
	if len(leaves) == 0 {
		return sha256.Sum256(nil)
	}
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	l, r := rootOf(leaves[:k]), rootOf(leaves[k:])
	return sha256.Sum256(slices.Concat([]byte{nodePrefix}, l[:], r[:]))
}

func leavesOf(n int) []digest {
	h := newHasher()
	out := make([]digest, n)
	for i := range out {
		out[i] = h.leaf([]byte{byte(i), byte(i >> 8)})
	}
	return out
}

// The tree grown leaf by leaf has the root of the definition, for every size.
func TestTreeIsThatOfTheDefinition(t *testing.T) {
	leaves := leavesOf(300)
	var grown tree
	h := newHasher()
	for n := range leaves {
		if grown.root(h) != rootOf(leaves[:n]) {
			t.Fatalf("root of %d leaves", n)
		}
		grown.add(h, leaves[n])
	}
}

// Each leaf's path leads to the root, and with another leaf, place, size or path to no root at all.
func TestPathsLeadToTheRootAndNothingElseDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "leaves")
		i := rapid.IntRange(0, n-1).Draw(t, "leaf")
		leaves, h := leavesOf(n), newHasher()
		path, root := treePath(h, leaves, i), rootOf(leaves)
		if got, ok := pathRoot(h, leaves[i], uint64(i), uint64(n), path); !ok || got != root {
			t.Fatalf("the path of leaf %d of %d", i, n)
		}
		other := rapid.IntRange(0, n-1).Draw(t, "other")
		if got, ok := pathRoot(h, leaves[other], uint64(i), uint64(n), path); ok && got == root && other != i {
			t.Fatal("another leaf")
		}
		if got, ok := pathRoot(h, leaves[i], uint64(other), uint64(n), path); ok && got == root && other != i {
			t.Fatal("another place")
		}
		if _, ok := pathRoot(h, leaves[i], uint64(n), uint64(n), path); ok {
			t.Fatal("past the end")
		}
		for cut := range path {
			if _, ok := pathRoot(h, leaves[i], uint64(i), uint64(n), path[:cut]); ok {
				t.Fatal("a shorter path")
			}
			bent := slices.Clone(path)
			bent[cut][0] ^= 1
			if got, ok := pathRoot(h, leaves[i], uint64(i), uint64(n), bent); ok && got == root {
				t.Fatal("another path")
			}
		}
		if _, ok := pathRoot(h, leaves[i], uint64(i), uint64(n), append(slices.Clone(path), root)); ok {
			t.Fatal("a longer path")
		}
	})
}

// A node does not pass for a segment: the leaf of what a node hashes is another.
func TestNodeIsNoLeaf(t *testing.T) {
	h := newHasher()
	l := leavesOf(2)
	if h.leaf(slices.Concat(l[0][:], l[1][:])) == h.node(&l[0], &l[1]) {
		t.Error("a node is the leaf of its children")
	}
}

// Growing the tree allocates nothing, whatever its size.
func TestTreeAllocatesNothing(t *testing.T) {
	h, segment := newHasher(), make([]byte, 16_000)
	var grown tree
	if n := testing.AllocsPerRun(1000, func() { grown.add(h, h.leaf(segment)) }); n != 0 {
		t.Errorf("%v allocations a segment", n)
	}
}

// Every code of G.711 comes back as itself, but for the second zero of µ-law; so an export in the codec of the call is what was on the wire.
func TestCompressIsTheInverseOfExpand(t *testing.T) {
	for _, code := range []byte{codePCMU, codePCMA} {
		for i := range 256 {
			want := byte(i)
			if code == codePCMU && i == 0x7f {
				want = 0xff
			}
			if got := encode(expand[law(code)][i], code); got != want {
				t.Errorf("codec %d: %#x comes back as %#x", code, i, got)
			}
		}
	}
}

func TestOpusDurations(t *testing.T) {
	for _, tt := range []struct {
		packet []byte
		ms     float64
	}{
		{[]byte{0 << 3}, 10}, {[]byte{3 << 3}, 60}, {[]byte{11 << 3}, 60}, {[]byte{12 << 3}, 10}, {[]byte{15 << 3}, 20}, {[]byte{16 << 3}, 2.5}, {[]byte{19 << 3}, 20},
		{[]byte{31 << 3}, 20}, {[]byte{31<<3 | 1}, 40}, {[]byte{31<<3 | 2}, 40}, {[]byte{16<<3 | 3, 48}, 120}, {[]byte{31<<3 | 3, 0x80 | 6}, 120},
		{nil, 0}, {[]byte{31<<3 | 3}, 0}, {[]byte{31<<3 | 3, 7}, 0}, {[]byte{3<<3 | 3, 3}, 0}, {[]byte{31<<3 | 3, 0}, 0},
	} {
		if got := opusTicks(tt.packet); float64(got) != tt.ms*8 {
			t.Errorf("%x: %d ticks, want %v ms", tt.packet, got, tt.ms)
		}
	}
}
