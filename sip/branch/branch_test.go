package branch_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/branch"
)

// While the upstream is gone the phones of a site call each other, the world and for help. When it is back it reaches them as before, and has each of
// those calls once.
func TestSurvivesACut(t *testing.T) {
	for name, cut := range map[string]struct{ off, on func(*line) }{
		"closed": {(*line).shut, (*line).open},
		"silent": {func(l *line) { l.mute(true) }, func(l *line) { l.mute(false) }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil)
			s.wantLink(true)
			a, b := s.phone("1001", nil), s.phone("1002", nil)

			// Up: calls go through the upstream, both ways, with descriptions as they are.
			c, m := a.mustDial("9000")
			require.Equal(t, "1001", receive(t, s.queued), "as the user who called")
			require.Equal(t, string(s.queue.text("answer")), m.last())
			require.Equal(t, string(m.text("offer")), s.queue.last())
			end(t, c)
			s.reachable("1002", true)
			c, m = s.fromUpstream("1002")
			atB := receive(t, b.calls)
			require.Equal(t, "+4940123", atB.ClaimedFrom())
			require.Equal(t, string(b.media.text("answer")), m.last())
			require.Equal(t, string(m.text("offer")), b.media.last())
			end(t, c)
			over(t, atB)
			require.Zero(t, s.journal.Pending(), "the upstream has seen these itself")

			cut.off(s.line)
			s.wantLink(false)

			talk, m := a.mustDial("1002")
			atB = receive(t, b.calls)
			require.Equal(t, "1001", atB.ClaimedFrom())
			require.Equal(t, string(b.media.text("answer")), m.last())
			require.Equal(t, string(m.text("offer")), b.media.last())

			for _, number := range []string{"+4930123456", "112"} {
				c, m := b.mustDial(number)
				got := receive(t, s.carrier)
				require.Equal(t, number, got.to)
				require.Equal(t, string(got.media.text("answer")), m.last())
				require.Equal(t, string(m.text("offer")), got.media.last())
				end(t, c)
			}
			c, _ = a.mustDial("9000") // a queue: somebody of the site stands in
			end(t, receive(t, b.calls))
			over(t, c)
			_, _, err := a.dial(t.Context(), "9001") // a menu: nobody does
			require.Equal(t, 503, status(err))
			_, _, err = a.dial(t.Context(), "1003") // has no phone here
			require.Equal(t, 480, status(err))
			require.Eventually(t, func() bool { return s.journal.Pending() == 5 }, 10*time.Second, time.Millisecond)

			s.inbox.lose.Store(1)
			cut.on(s.line)
			s.wantLink(true)
			s.reachable("1001", true)
			require.Eventually(t, func() bool { return s.journal.Pending() == 0 }, 20*time.Second, 5*time.Millisecond)
			require.GreaterOrEqual(t, s.inbox.posts.Load(), int32(2), "the first answer was lost")

			require.NoError(t, talk.Reoffer(t.Context()), "a call between phones of the site does not notice")
			end(t, talk)
			over(t, atB)
			require.Eventually(t, func() bool { return s.inbox.store.Len() == 6 && s.journal.Pending() == 0 }, 20*time.Second, 5*time.Millisecond)
			type short struct {
				from, to string
				route    branch.Route
				outcome  branch.Outcome
				status   int
			}
			var got []short
			require.NoError(t, s.inbox.store.Each(func(_ string, c branch.CDR) error {
				require.NoError(t, c.Check())
				require.Equal(t, c.Outcome == branch.Answered, !c.Answered.IsZero())
				require.False(t, c.End.Before(c.Start))
				got = append(got, short{c.From, c.To, c.Route, c.Outcome, c.Status})
				return nil
			}))
			require.Equal(t, []short{
				{"1002", "+4930123456", branch.Public, branch.Answered, 0},
				{"1002", "112", branch.Emergency, branch.Answered, 0},
				{"1001", "9000", branch.Fallback, branch.Answered, 0},
				{"1001", "9001", branch.Nowhere, branch.Refused, 503},
				{"1001", "1003", branch.Internal, branch.Refused, 480},
				{"1001", "1002", branch.Internal, branch.Answered, 0},
			}, got)

			s.reachable("1002", true)
			c, _ = s.fromUpstream("1002")
			atB = receive(t, b.calls)
			end(t, atB)
			over(t, c)
			c, _ = a.mustDial("9000")
			require.Equal(t, "1001", receive(t, s.queued))
			end(t, c)
			require.Equal(t, 6, s.inbox.store.Len())
			control.Proves(t, "AVA-11")
		})
	}
}

// A call that finds the upstream dead before the next sign of life is due is handled here, not refused.
func TestFirstCallAfterTheCut(t *testing.T) {
	s := newSite(t, func(c *branch.Config) { c.PingInterval = time.Hour })
	s.wantLink(true)
	a, b := s.phone("1001", nil), s.phone("1002", nil)
	s.line.mute(true)
	c, _ := a.mustDial("1002")
	end(t, receive(t, b.calls))
	over(t, c)
	c, _ = a.mustDial("112")
	require.Equal(t, "112", receive(t, s.carrier).to)
	end(t, c)
	s.wantLink(false)
}

// What a phone dials cannot have the upstream given up, and refusals are those of the upstream.
func TestRefusalsAreNoCut(t *testing.T) {
	s := newSite(t, nil)
	s.wantLink(true)
	a := s.phone("1001", nil)
	for range 5 {
		_, _, err := a.dial(t.Context(), "9486")
		require.Equal(t, 486, status(err))
		_, _, err = a.dial(t.Context(), "+4930123456")
		require.Equal(t, 404, status(err), "not over the local trunk: the upstream has decided")
	}
	c, _ := a.mustDial("112")
	require.Equal(t, "112", receive(t, s.carrier).to, "help is called by whatever way works")
	end(t, c)
	require.True(t, s.branch.Up())
	require.Empty(t, s.link)
	require.Eventually(t, func() bool { return s.inbox.store.Len() == 1 }, 10*time.Second, time.Millisecond, "the upstream does not know of that call")
}

func TestPassesThrough(t *testing.T) {
	s := newSite(t, nil)
	s.wantLink(true)
	s.line.shut()
	s.wantLink(false)
	ringing, canceled := make(chan struct{}, 1), make(chan error, 1)
	a, b := s.phone("1001", nil), s.phone("1002", nil)
	s.phone("1003", func(ctx context.Context, c *sip.Call) {
		_ = c.Ring() // the caller may have gone
		<-ctx.Done()
		canceled <- c.Err()
	})

	t.Run("hold from both sides, digits, BYE of the called", func(t *testing.T) {
		c, m := a.mustDial("1002")
		atB := receive(t, b.calls)
		crashed := filepath.Join(t.TempDir(), "journal")
		now, err := os.ReadFile(s.file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(crashed, now, 0o600))
		j, found := openJournal(t, crashed)
		require.Equal(t, 1, found.Interrupted, "written down before the caller was told of the answer")
		require.NoError(t, j.Close())
		m.next(" (hold)")
		require.NoError(t, c.Reoffer(t.Context()))
		require.Equal(t, string(m.text("offer")), b.media.last())
		require.Equal(t, string(b.media.text("answer")), m.last())
		b.media.next(" (resume)")
		require.NoError(t, atB.Reoffer(t.Context()))
		require.Equal(t, string(b.media.text("offer")), m.last())
		require.Equal(t, string(m.text("answer")), b.media.last())
		heard := make(chan byte, 8)
		atB.OnDigit(func(d byte) { heard <- d })
		c.OnDigit(func(d byte) { heard <- d })
		require.NoError(t, c.SendDigit(t.Context(), '5'))
		require.Equal(t, byte('5'), receive(t, heard))
		require.NoError(t, atB.SendDigit(t.Context(), '#'))
		require.Equal(t, byte('#'), receive(t, heard))
		end(t, atB)
		over(t, c)
		require.Equal(t, 1, s.journal.Pending(), "written down before the other side was told of the end")
		require.ErrorIs(t, c.Err(), sip.ErrRemoteBye)
	})

	t.Run("CANCEL", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		failed := make(chan error, 1)
		go func() { // ends when the call is canceled
			_, err := a.Dial(ctx, sip.DialConfig{
				Target: "sip:1003@" + domain, Address: s.addr, From: "sip:1001@" + domain, Password: passwordOf("1001"), OnRinging: func() { ringing <- struct{}{} },
			}, &media{name: "impatient"})
			failed <- err
		}()
		receive(t, ringing)
		cancel()
		require.Error(t, receive(t, failed))
		require.ErrorIs(t, receive(t, canceled), sip.ErrCanceled)
		require.Eventually(t, func() bool { return s.journal.Pending() == 2 }, 10*time.Second, time.Millisecond)
	})
}

// All phones of a user ring; one that answers has the call, and the others stop.
func TestAllPhonesOfAUserRing(t *testing.T) {
	s := newSite(t, nil)
	s.wantLink(true)
	s.line.shut()
	s.wantLink(false)
	rings, stopped := make(chan struct{}), make(chan error, 1)
	s.phone("1002", func(ctx context.Context, c *sip.Call) {
		_ = c.Ring() // the caller may have gone
		close(rings)
		<-ctx.Done()
		stopped <- c.Err()
	})
	b := &media{name: "the second phone"}
	s.phone("1002", func(ctx context.Context, c *sip.Call) {
		select {
		case <-rings:
		case <-ctx.Done():
			return
		}
		if c.Answer(ctx, b) == nil {
			<-c.Done()
		}
	})
	c, m := s.phone("1001", nil).mustDial("1002")
	require.Equal(t, string(b.text("answer")), m.last())
	require.ErrorIs(t, receive(t, stopped), sip.ErrCanceled)
	end(t, c)
}

// Without a journal nobody is billed for what nobody wrote down; but people can talk and call for help.
func TestJournalThatCannotBeWritten(t *testing.T) {
	problems := make(chan error, 64)
	s := newSite(t, func(c *branch.Config) { c.OnError = func(err error) { problems <- err } })
	s.wantLink(true)
	s.line.shut()
	s.wantLink(false)
	a, b := s.phone("1001", nil), s.phone("1002", nil)
	require.NoError(t, s.journal.Close())
	_, _, err := a.dial(t.Context(), "+4930123456")
	require.Equal(t, 503, status(err))
	require.ErrorIs(t, receive(t, problems), branch.ErrBroken)
	c, _ := a.mustDial("1002")
	end(t, receive(t, b.calls))
	over(t, c)
	for to := ""; to != "112"; {
		c, _ = a.mustDial("112")
		to = receive(t, s.carrier).to
		end(t, c)
	}
}

// Closing ends the calls and writes them down.
func TestCloseWritesCallsDown(t *testing.T) {
	s := newSite(t, nil)
	s.wantLink(true)
	s.line.shut()
	s.wantLink(false)
	a, b := s.phone("1001", nil), s.phone("1002", nil)
	c, _ := a.mustDial("1002")
	atB := receive(t, b.calls)
	require.NoError(t, s.branch.Close())
	require.Equal(t, 1, s.journal.Pending())
	over(t, c)
	over(t, atB)
}

// A stranger, a wrong password and a domain that is not served here get nothing, upstream or not.
func TestNobodyElseCalls(t *testing.T) {
	s := newSite(t, nil)
	s.wantLink(true)
	s.line.shut()
	s.wantLink(false)
	a := s.phone("1001", nil)
	for name, dc := range map[string]sip.DialConfig{
		"wrong password": {Target: "sip:112@" + domain, Password: "wrong"},
		"no password":    {Target: "sip:112@" + domain},
	} {
		dc.Address, dc.From = s.addr, "sip:1001@"+domain
		_, err := a.Dial(t.Context(), dc, &media{name: name})
		require.Equal(t, 401, status(err), name)
	}
	foreign := sip.DialConfig{Target: "sip:112@globex.test", Address: s.addr, ServerName: domain, From: "sip:1001@globex.test", Password: "x"}
	_, err := a.Dial(t.Context(), foreign, &media{})
	require.Equal(t, 404, status(err))
	require.Empty(t, s.carrier)
	require.Zero(t, s.journal.Pending())
}

func TestConfigIsChecked(t *testing.T) {
	for name, cfg := range map[string]branch.Config{
		"nothing":    {},
		"no journal": {Domain: domain, Upstream: "up:5061", Credentials: users{}},
		"no port":    {Domain: domain, Upstream: "up", Credentials: users{}},
	} {
		_, err := branch.New(cfg)
		require.Error(t, err, name)
		require.True(t, strings.HasPrefix(err.Error(), "branch: "), err)
	}
}
