package acd

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type heapItem struct {
	k1, k2 int64
	index  int
}

func (i *heapItem) setIndex(n int) { i.index = n }

// The heap against a sorted list, with removals from the middle: the first is always the least, and every item knows its place.
func TestHeap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h heap[*heapItem]
		var list []*heapItem
		for i := range rapid.IntRange(1, 80).Draw(t, "steps") {
			if len(list) == 0 || rapid.IntRange(0, 2).Draw(t, "push") > 0 {
				x := &heapItem{k1: int64(rapid.IntRange(0, 9).Draw(t, "key")), k2: int64(i)}
				h.push(x.k1, 0, x.k2, x)
				list = append(list, x)
			} else {
				n := rapid.IntRange(0, len(list)-1).Draw(t, "which")
				x := list[n]
				h.remove(x.index)
				list = slices.Delete(list, n, n+1)
				if x.index != -1 {
					t.Fatalf("a removed item thinks it is at %d", x.index)
				}
			}
			if h.len() != len(list) {
				t.Fatalf("%d items, want %d", h.len(), len(list))
			}
			for j := range h.e {
				if h.e[j].v.index != j {
					t.Fatalf("item at %d thinks it is at %d", j, h.e[j].v.index)
				}
				if j > 0 && h.e[j].less(&h.e[(j-1)/2]) {
					t.Fatalf("item at %d is less than its parent", j)
				}
			}
			if len(list) > 0 {
				least := slices.MinFunc(list, func(a, b *heapItem) int { return cmp.Or(cmp.Compare(a.k1, b.k1), cmp.Compare(a.k2, b.k2)) })
				if h.e[0].v != least {
					t.Fatalf("first is %v, want %v", h.e[0].v, least)
				}
			}
		}
	})
}
