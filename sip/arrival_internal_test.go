package sip

import (
	"testing"

	"pgregory.net/rapid"
)

// Whoever is let in is the first of those who are left, each is let in, and nothing is left over.
func TestLane(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l lane
		var model []place
		come := map[place]<-chan struct{}{}
		open := func(c <-chan struct{}) bool {
			select {
			case <-c:
				return true
			default:
				return false
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"join": func(t *rapid.T) {
				p := place{rapid.Uint32Range(1, 200).Draw(t, "seq"), "b"}
				if l.find(p) >= 0 {
					return
				}
				if l.join(p) != (len(model) < maxLane) {
					t.Fatal("bound")
				}
				if len(model) < maxLane {
					model = append(model, p)
					delete(come, p) // of the time before
				}
			},
			"enter": func(t *rapid.T) {
				if len(model) == 0 {
					return
				}
				p := rapid.SampledFrom(model).Draw(t, "place")
				c, ok := l.enter(p)
				if !ok || (c == nil) != (p == model[0]) {
					t.Fatal("enter")
				}
				if c != nil {
					come[p] = c
				}
			},
			"leave": func(t *rapid.T) {
				if len(model) == 0 {
					return
				}
				n := rapid.IntRange(0, len(model)).Draw(t, "n")
				l.leave(n)
				model = model[n:]
			},
			"": func(t *rapid.T) {
				if len(model) != len(l.queue) {
					t.Fatal("length")
				}
				for i, p := range model {
					if l.find(p) != i {
						t.Fatal("order")
					}
					if c := come[p]; c != nil && open(c) != (i == 0) {
						t.Fatalf("place %d: let in %v", i, open(c))
					}
				}
			},
		})
	})
}
