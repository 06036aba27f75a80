package registrar_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip/registrar"
	"github.com/ringfence/ringfence/sip/registrar/registrartest"
)

// Registrations come while others are being saved; under the race detector this shows that they do not share what they should not.
func TestFlushBesideRegistrations(t *testing.T) {
	r, err := registrar.Open(context.Background(), registrar.Config{}, &registrartest.Memory{}, time.Now())
	require.NoError(t, err)
	var wg sync.WaitGroup
	for u := range 4 {
		wg.Add(2)
		go func() { // ends with its registrations, waited for below
			defer wg.Done()
			for i := range 200 {
				_, err := r.Update("acme", fmt.Sprint(u), []registrar.Binding{{Contact: "sip:a@b", Flow: "f", CallID: "c", CSeq: uint32(i + 1), Expires: time.Now().Add(time.Hour)}}, time.Now())
				if err != nil {
					t.Error(err)
				}
			}
		}()
		go func() { // ends with its flushes, waited for below
			defer wg.Done()
			for range 200 {
				if err := r.Flush(context.Background()); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
}
