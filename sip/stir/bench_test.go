package stir_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/ringfence/ringfence/sip/stir"
)

func BenchmarkSign(b *testing.B) {
	r := newRig(b, provider, nil)
	s := r.signer(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Sign(noon, stir.Call{Orig: caller, Dest: callee, Authenticated: true}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify is a call whose certificate is known: what most calls are.
func BenchmarkVerify(b *testing.B) {
	r := newRig(b, provider, nil)
	h := r.sign(b, noon)
	b.ReportAllocs()
	for b.Loop() {
		if res := r.check(noon, h); res.Code != 0 {
			b.Fatal(res.Err)
		}
	}
}

// BenchmarkVerifyNewChain is the first call with a certificate.
func BenchmarkVerifyNewChain(b *testing.B) {
	r := newRig(b, provider, nil)
	h := r.sign(b, noon)
	body, i := r.web[x5u], 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		r.web[x5u] = append(body[:len(body):len(body)], "\n"+strconv.Itoa(i)...)
		if res := r.Verify(context.Background(), noon, stir.Request{Identity: []string{h}, Orig: caller, Dest: callee, CallID: "c1"}); res.Code != 0 {
			b.Fatal(res.Err)
		}
	}
}
