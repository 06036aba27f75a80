package guard

import (
	"container/list"
	"net/netip"
)

// table is a map with a bound: the entry untouched for longest makes room for a new one.
type table[K comparable, V any] struct {
	max   int
	items map[K]*list.Element
	order *list.List // front: touched last
}

type entry[K comparable, V any] struct {
	key K
	val V
}

func newTable[K comparable, V any](max int) table[K, V] {
	return table[K, V]{max: max, items: make(map[K]*list.Element), order: list.New()}
}

// peek returns the value of k, or nil, and does not touch it.
func (t *table[K, V]) peek(k K) *V {
	if e, ok := t.items[k]; ok {
		return &e.Value.(*entry[K, V]).val
	}
	return nil
}

// get returns the value of k, made with zero if it is new.
func (t *table[K, V]) get(k K) (v *V, fresh bool) {
	if e, ok := t.items[k]; ok {
		t.order.MoveToFront(e)
		return &e.Value.(*entry[K, V]).val, false
	}
	if len(t.items) >= t.max {
		last := t.order.Back()
		delete(t.items, last.Value.(*entry[K, V]).key)
		t.order.Remove(last)
	}
	e := &entry[K, V]{key: k}
	t.items[k] = t.order.PushFront(e)
	return &e.val, true
}

func (t *table[K, V]) drop(k K) {
	if e, ok := t.items[k]; ok {
		delete(t.items, k)
		t.order.Remove(e)
	}
}

// Source is what counts as one source: an IPv4 address, or the /64 of an IPv6 address, because whoever has one address of a /64 has all of them.
// The zero Addr, of a transport without IP addresses, is a source too.
func Source(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
