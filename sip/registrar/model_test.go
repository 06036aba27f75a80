package registrar_test

import (
	"context"
	"fmt"
	"sort"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/sip/registrar"
	"github.com/ringfence/ringfence/sip/registrar/registrartest"
)

func TestMemory(t *testing.T) {
	registrartest.Run(t, func(*testing.T) func() registrar.Store {
		m := &registrartest.Memory{}
		return func() registrar.Store { return m }
	})
}

// entry is what the model knows of a binding.
type entry struct {
	contact, flow, callID string
	seq                   uint32
	q                     int
	expires, updated      time.Time
	gone                  bool
}

// model is the registrar as a map: user, then contact or device and reg-id.
type model map[string]map[string]*entry

func (m model) up(user string) int {
	n := 0
	for _, e := range m[user] {
		if !e.gone {
			n++
		}
	}
	return n
}

// The registrar does what the map does, through refreshes, lost connections, expiry and restarts.
func TestAgainstModel(t *testing.T) {
	const limit = 3
	users := []string{"1", "2"}
	rapid.Check(t, func(t *rapid.T) {
		ctx, now := context.Background(), noon
		store := &registrartest.Memory{}
		m := model{"1": {}, "2": {}}
		told := map[string]bool{}
		alive := map[string]bool{} // by ID, from events
		cfg := registrar.Config{MaxBindings: limit, Key: registrar.Key{7}, Survives: func(flow string) bool { return flow == "udp" },
			OnChange: func(_, user string, up bool) {
				if told[user] == up {
					t.Fatalf("%s told %v twice", user, up)
				}
				told[user] = up
			},
			OnEvent: func(e registrar.Event) {
				was := alive[e.Binding.ID]
				is := e.Kind == registrar.Registered || e.Kind == registrar.Refreshed
				if was != (e.Kind != registrar.Registered) {
					t.Fatalf("%s of a contact that was there: %v", e.Kind, was)
				}
				alive[e.Binding.ID] = is
			}}
		r, err := registrar.Open(ctx, cfg, store, now)
		require.NoError(t, err)
		seq := uint32(10)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			user := rapid.SampledFrom(users).Draw(t, "user")
			now = now.Add(time.Millisecond) // so that the order of registration is never in doubt
			switch rapid.SampledFrom([]string{"register", "register", "register", "drop", "tick", "clear", "restart"}).Draw(t, "verb") {
			case "register":
				b := registrar.Binding{
					Contact: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "contact"), Flow: rapid.SampledFrom([]string{"f1", "f2", "udp"}).Draw(t, "flow"),
					Instance: rapid.SampledFrom([]string{"", "i1", "i2"}).Draw(t, "instance"), CallID: rapid.SampledFrom([]string{"c1", "c2"}).Draw(t, "call-id"),
					Q:       rapid.SampledFrom([]int{500, 1000}).Draw(t, "q"),
					Expires: now.Add(time.Duration(rapid.IntRange(0, 4).Draw(t, "life")) * time.Second),
				}
				if b.Instance != "" {
					b.RegID = uint32(rapid.IntRange(0, 2).Draw(t, "reg-id"))
				}
				seq++
				b.CSeq = seq - uint32(rapid.IntRange(0, 2).Draw(t, "late"))
				id := "contact " + b.Contact
				if b.Instance != "" {
					id = fmt.Sprint(b.Instance, " ", b.RegID)
				}
				m.expire(now)
				have := m[user][id]
				var want error
				after := m.up(user)
				switch {
				case have != nil && have.callID == b.CallID && b.CSeq <= have.seq:
					want = registrar.ErrOutOfOrder
				case b.Expires.After(now) && (have == nil || have.gone) && after == limit:
					want = registrar.ErrTooMany
				case b.Expires.After(now):
					m[user][id] = &entry{b.Contact, b.Flow, b.CallID, b.CSeq, b.Q, b.Expires, now, false}
				default:
					delete(m[user], id)
				}
				if want == nil {
					m.trim(user, limit)
				}
				_, err := r.Update("x", user, []registrar.Binding{b}, now)
				require.ErrorIs(t, err, want)
			case "drop":
				flow := rapid.SampledFrom([]string{"f1", "f2"}).Draw(t, "flow")
				r.DropFlow(flow)
				m.drop(func(e *entry) bool { return e.flow == flow }, limit)
			case "tick":
				now = now.Add(time.Second)
			case "clear":
				r.Clear("x", user)
				m[user] = map[string]*entry{}
			case "restart":
				m.expire(now)
				require.NoError(t, r.Flush(ctx))
				clear(told)
				clear(alive)
				r, err = registrar.Open(ctx, cfg, store, now)
				require.NoError(t, err)
				for _, es := range m {
					for _, e := range es {
						e.gone = e.flow != "udp" // what stays reachable on a transport without connections
					}
				}
				for _, u := range users {
					for _, b := range r.Lookup("x", u, now) {
						alive[b.ID] = true
					}
				}
			}
			r.Expire(now)
			m.expire(now)
			for _, u := range users {
				require.Equal(t, m.lookup(u, false), names(r.Lookup("x", u, now)))
				require.Equal(t, m.lookup(u, true), names(r.Known("x", u, now)))
				require.Equal(t, m.up(u) > 0, told[u])
			}
		}
	})
}

func (m model) expire(now time.Time) {
	for _, es := range m {
		for id, e := range es {
			if !e.expires.After(now) {
				delete(es, id)
			}
		}
	}
}

func (m model) drop(hit func(*entry) bool, limit int) {
	for user, es := range m {
		touched := false
		for _, e := range es {
			if !e.gone && hit(e) {
				e.gone, touched = true, true
			}
		}
		if touched {
			m.trim(user, limit)
		}
	}
}

func (m model) trim(user string, limit int) {
	es := m[user]
	for len(es)-m.up(user) > limit {
		oldest := ""
		for id, e := range es {
			if e.gone && (oldest == "" || e.updated.Before(es[oldest].updated)) {
				oldest = id
			}
		}
		delete(es, oldest)
	}
}

func (m model) lookup(user string, gone bool) []string {
	var es []*entry
	for _, e := range m[user] {
		if gone || !e.gone {
			es = append(es, e)
		}
	}
	sort.Slice(es, func(i, j int) bool {
		if es[i].q != es[j].q {
			return es[i].q > es[j].q
		}
		return es[i].updated.After(es[j].updated)
	})
	var out []string
	for _, e := range es {
		out = append(out, fmt.Sprint(e.contact, e.flow, e.seq, e.gone))
	}
	return out
}

func names(bs []registrar.Binding) []string {
	var out []string
	for _, b := range bs {
		out = append(out, fmt.Sprint(b.Contact, b.Flow, b.CSeq, b.Gone))
	}
	return out
}
