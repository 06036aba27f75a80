package numbers

import (
	"context"
	"slices"
	"sync"
)

// Memory is a Store and a KeyStore in memory, for tests and demonstrations. The zero value is empty and ready.
type Memory struct {
	mu     sync.Mutex
	orders []Order // in the order of their creation
	keys   map[string]Key
}

func (m *Memory) find(id string) int {
	return slices.IndexFunc(m.orders, func(o Order) bool { return o.ID == id })
}

// Put implements Store.
func (m *Memory) Put(_ context.Context, o Order) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.find(o.ID)
	if o.Version == 1 && i < 0 {
		if slices.ContainsFunc(m.orders, func(have Order) bool { return have.Number == o.Number && have.State.Live() }) {
			return ErrTaken
		}
		m.orders = append(m.orders, o)
		return nil
	}
	if i < 0 || m.orders[i].Version != o.Version-1 {
		return ErrConflict
	}
	m.orders[i] = o
	return nil
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, id string) (Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.find(id); i >= 0 {
		return m.orders[i], nil
	}
	return Order{}, ErrNotFound
}

// Holder implements Store.
func (m *Memory) Holder(_ context.Context, number string) (Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.orders {
		if o.Number == number && o.State.Live() {
			return o, nil
		}
	}
	return Order{}, ErrNotFound
}

// List implements Store.
func (m *Memory) List(_ context.Context, owner string) ([]Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Order
	for _, o := range m.orders {
		if o.Owner == owner {
			out = append(out, o)
		}
	}
	return out, nil
}

// PutKey implements KeyStore.
func (m *Memory) PutKey(_ context.Context, k Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys == nil {
		m.keys = make(map[string]Key)
	}
	k.Scopes = slices.Clone(k.Scopes)
	m.keys[k.ID] = k
	return nil
}

// GetKey implements KeyStore.
func (m *Memory) GetKey(_ context.Context, id string) (Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.keys[id]
	if !ok {
		return Key{}, ErrNotFound
	}
	k.Scopes = slices.Clone(k.Scopes)
	return k, nil
}
