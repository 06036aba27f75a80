package stir_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/ringfence/ringfence/sip/stir"
)

func Example() {
	t := &testing.T{}
	root := issue(t, nil, true, nil, nil)
	leaf := issue(t, root, false, &stir.TNAuthList{Ranges: []stir.Range{{Start: "12155551200", Count: 100}}}, nil)
	roots := x509.NewCertPool()
	roots.AddCert(root.cert)

	// Who calls.
	signer, err := stir.NewSigner(stir.SignerConfig{
		Key: leaf.key, Chain: leaf.chain, URL: "https://cert.example.org/passport.pem",
		Owns: func(number string) bool { return number == "12155551212" },
	})
	if err != nil {
		panic(err)
	}
	header, err := signer.Sign(noon, stir.Call{Orig: "+12155551212", Dest: "+12155551213", Authenticated: true})
	if err != nil {
		panic(err)
	}

	// Who is called.
	verifier, err := stir.NewVerifier(stir.Config{
		Roots: roots, Hosts: []string{"cert.example.org"},
		Certificates: web{"https://cert.example.org/passport.pem": leaf.chain}, // an HTTPS
	})
	if err != nil {
		panic(err)
	}
	policies := stir.Policies{Other: stir.Rule{Require: stir.Partial, Missing: stir.Mark}}
	for _, r := range []stir.Request{
		{Identity: []string{header}, Orig: "+12155551212", Dest: "+12155551213", CallID: "1"},
		{Identity: []string{header}, Orig: "+12155551299", Dest: "+12155551213", CallID: "2"},
		{Orig: "+12155551212", Dest: "+12155551213", CallID: "3"},
	} {
		result := verifier.Verify(context.Background(), noon, r)
		verdict := policies.Decide("acme", result)
		fmt.Printf("%s %q %s %d\n", result.Verstat, result.Level, verdict.Action, verdict.Status)
	}
	// Output:
	// TN-Validation-Passed "A" accept 0
	// TN-Validation-Failed "" reject 438
	// No-TN-Validation "" mark 0
}
