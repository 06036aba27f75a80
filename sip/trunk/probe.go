package trunk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/sip"
)

// watch probes one carrier and keeps its registration, until Close.
func (g *Group) watch(i int) {
	defer g.wg.Done()
	defer g.unregister(i)
	for {
		ctx, cancel := context.WithTimeout(g.ctx, 4*g.cfg.Silence)
		g.probe(ctx, i)
		cancel()
		fifth := int(g.cfg.ProbeInterval/5) + 1 // so that a thousand groups do not ask at once
		t := time.NewTimer(g.cfg.ProbeInterval - time.Duration(fifth) + time.Duration(g.draw(2*fifth)))
		select {
		case <-t.C:
		case <-g.ctx.Done():
			t.Stop()
			return
		}
	}
}

func (g *Group) draw(n int) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cfg.Rand(n)
}

// probe asks the servers of carrier i until one is well (RFC 3261 section 11), and registers if that is wanted and not done.
func (g *Group) probe(ctx context.Context, i int) {
	k := g.cfg.Carriers[i]
	targets, err := g.cfg.Resolver.Resolve(ctx, k.Domain)
	result := "no server"
	if err != nil {
		result = "not resolved"
	}
	ok := false
	for _, t := range targets {
		one, cancel := context.WithTimeout(ctx, g.cfg.Silence)
		status, err := g.cfg.Dialer.Ping(one, sip.PingConfig{Target: "sip:" + k.host(), Address: t.Address, ServerName: k.host(), Client: k.TLS})
		cancel()
		if ok, result = alive(status, err); ok {
			break
		}
	}
	if g.ctx.Err() != nil {
		return
	}
	if ok && k.Register {
		if err := g.register(ctx, i, targets); err != nil {
			ok, result = false, "registration refused"
			g.cfg.Logger.Warn("trunk: registration failed", "carrier", k.Name, "err", err)
		}
	}
	g.mu.Lock()
	changed := g.core.probed(i, ok)
	down := g.core.carriers[i].down
	g.members[i].probed, g.members[i].probe = time.Now(), result
	g.mu.Unlock()
	if changed {
		g.cfg.Logger.Warn("trunk: carrier changed", "carrier", k.Name, "up", !down, "probe", result)
	}
	if changed && down {
		g.unregister(i) // it hangs on a server that is gone; the next good probe registers anew
	}
}

// alive reads the answer to OPTIONS: any response proves that something lives there, 405 or 404 as well as 200. Those that say that it cannot work
// now do not, and a server that asks for credentials is well.
func alive(status int, err error) (bool, string) {
	switch {
	case err != nil && (errors.Is(err, sip.ErrTimeout) || errors.Is(err, context.DeadlineExceeded)):
		return false, "no response"
	case err != nil:
		return false, "no connection"
	case status == 500 || status == 502 || status == 503 || status == 504 || status == 408:
		return false, fmt.Sprint(status)
	}
	return true, fmt.Sprint(status)
}

func (g *Group) register(ctx context.Context, i int, targets []Target) error {
	g.mu.Lock()
	have := g.members[i].reg != nil
	g.mu.Unlock()
	if have {
		return nil
	}
	k := g.cfg.Carriers[i]
	var last error
	for _, t := range targets {
		one, cancel := context.WithTimeout(ctx, g.cfg.Silence)
		reg, err := g.cfg.Dialer.Register(one, sip.RegisterConfig{
			AOR: "sip:" + k.User + "@" + k.host(), Address: t.Address, Client: k.TLS, AuthUser: k.User, Password: string(k.Password),
		})
		cancel()
		if err != nil {
			last = err
			continue
		}
		g.mu.Lock()
		g.members[i].reg, g.members[i].regAddress = reg, t.Address
		g.mu.Unlock()
		return nil
	}
	return last
}

// unregister lets a registration go. It waits for the carrier for a moment only.
func (g *Group) unregister(i int) {
	g.mu.Lock()
	reg := g.members[i].reg
	g.members[i].reg, g.members[i].regAddress = nil, ""
	g.mu.Unlock()
	if reg == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(2*time.Second, g.cfg.Silence))
	defer cancel()
	if err := reg.Close(ctx); err != nil {
		g.cfg.Logger.Debug("trunk: registration not removed", "err", err) // it runs out by itself
	}
}
