package acd

// indexed is something that remembers where it is in a heap, so that it can be removed from the middle. -1 means not in it.
type indexed interface {
	comparable
	setIndex(int)
}

// heap is a binary min-heap over three keys, compared in order. Keys lie beside the pointers: sifting touches no item but for its index.
// (container/heap would compare through an interface, which costs more than the whole decision.)
type heap[T indexed] struct{ e []heapEntry[T] }

type heapEntry[T indexed] struct {
	k1, k2, k3 int64
	v          T
}

func (h *heap[T]) len() int { return len(h.e) }

func (a *heapEntry[T]) less(b *heapEntry[T]) bool {
	if a.k1 != b.k1 {
		return a.k1 < b.k1
	}
	return a.k2 < b.k2 || a.k2 == b.k2 && a.k3 < b.k3
}

func (h *heap[T]) push(k1, k2, k3 int64, v T) {
	h.e = append(h.e, heapEntry[T]{k1, k2, k3, v})
	h.up(len(h.e) - 1)
}

func (h *heap[T]) remove(i int) {
	h.e[i].v.setIndex(-1)
	last := len(h.e) - 1
	moved := h.e[last]
	h.e[last] = heapEntry[T]{} // let go of the item
	h.e = h.e[:last]
	if i == last {
		return
	}
	h.e[i] = moved
	if !h.down(i) {
		h.up(i)
	}
}

func (h *heap[T]) up(i int) {
	x := h.e[i]
	for i > 0 {
		p := (i - 1) / 2
		if !x.less(&h.e[p]) {
			break
		}
		h.e[i] = h.e[p]
		h.e[i].v.setIndex(i)
		i = p
	}
	h.e[i] = x
	x.v.setIndex(i)
}

// down reports whether the entry moved.
func (h *heap[T]) down(i int) bool {
	x, start := h.e[i], i
	for {
		c := 2*i + 1
		if c >= len(h.e) {
			break
		}
		if c+1 < len(h.e) && h.e[c+1].less(&h.e[c]) {
			c++
		}
		if !h.e[c].less(&x) {
			break
		}
		h.e[i] = h.e[c]
		h.e[i].v.setIndex(i)
		i = c
	}
	h.e[i] = x
	x.v.setIndex(i)
	return i != start
}
