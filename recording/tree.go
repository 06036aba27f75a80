package recording

import (
	"crypto/sha256"
	"hash"
	"math/bits"
)

// The tree is the Merkle tree of RFC 9162 section 2.1 (RFC 6962 before it) over the segments of a blob, one leaf each: SHA-256, leaves and nodes with
// different prefixes, so that no node passes for a segment.
const (
	leafPrefix = 0x00
	nodePrefix = 0x01
	hashBytes  = sha256.Size
)

type digest = [hashBytes]byte

// hasher computes leaves and nodes without allocating. Not safe for concurrent use.
type hasher struct {
	h   hash.Hash
	in  [1 + 2*hashBytes]byte // of a node
	sum []byte
}

func newHasher() *hasher { return &hasher{h: sha256.New(), sum: make([]byte, 0, hashBytes)} }

func (h *hasher) leaf(segment []byte) digest {
	h.in[0] = leafPrefix
	h.h.Reset()
	h.h.Write(h.in[:1])
	h.h.Write(segment)
	h.sum = h.h.Sum(h.sum[:0])
	return digest(h.sum)
}

func (h *hasher) node(left, right *digest) digest {
	h.in[0] = nodePrefix
	copy(h.in[1:], left[:])
	copy(h.in[1+hashBytes:], right[:])
	return sha256.Sum256(h.in[:])
}

// tree is the state from which the root follows: the roots of the perfect subtrees of the leaves so far, the largest first. One per open recording.
type tree struct {
	size  uint32
	peaks [segmentBits]digest // as many as size has ones
}

// add appends a leaf.
func (t *tree) add(h *hasher, leaf digest) {
	n := bits.OnesCount32(t.size)
	for s := t.size; s&1 == 1; s >>= 1 { // two perfect subtrees of one size make one
		n--
		leaf = h.node(&t.peaks[n], &leaf)
	}
	t.peaks[n] = leaf
	t.size++
}

// root returns the Merkle tree hash: of nothing, the hash of nothing.
func (t *tree) root(h *hasher) digest {
	n := bits.OnesCount32(t.size)
	if n == 0 {
		return sha256.Sum256(nil)
	}
	out := t.peaks[n-1]
	for i := n - 2; i >= 0; i-- {
		out = h.node(&t.peaks[i], &out)
	}
	return out
}

// treeRoot is the root of a list of leaves, by the definition of RFC 9162 section 2.1.1.
func treeRoot(h *hasher, leaves []digest) digest {
	var t tree
	for _, l := range leaves {
		t.add(h, l)
	}
	return t.root(h)
}

// treePath returns the inclusion proof of leaf i (RFC 9162 section 2.1.3.1), the sibling of the leaf first.
func treePath(h *hasher, leaves []digest, i int) []digest {
	if len(leaves) <= 1 {
		return nil
	}
	k := 1 << (bits.Len(uint(len(leaves)-1)) - 1) // the largest power of two smaller than the number of leaves
	if i < k {
		return append(treePath(h, leaves[:k], i), treeRoot(h, leaves[k:]))
	}
	return append(treePath(h, leaves[k:], i-k), treeRoot(h, leaves[:k]))
}

// pathRoot computes the root that an inclusion proof leads to (RFC 9162 section 2.1.3.2). It returns false for a proof of the wrong length.
func pathRoot(h *hasher, leaf digest, i, size uint64, path []digest) (digest, bool) {
	if i >= size {
		return digest{}, false
	}
	fn, sn, r := i, size-1, leaf
	for _, p := range path {
		if sn == 0 {
			return digest{}, false
		}
		if fn&1 == 1 || fn == sn {
			r = h.node(&p, &r)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = h.node(&r, &p)
		}
		fn, sn = fn>>1, sn>>1
	}
	return r, sn == 0
}
