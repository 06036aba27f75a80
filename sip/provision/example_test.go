package provision_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/ringfence/ringfence/sip/provision"
	"github.com/ringfence/ringfence/sip/provision/provisiontest"
)

type printer struct{}

func (printer) Audit(_ context.Context, action, object string, _ ...slog.Attr) error {
	fmt.Println("audit:", action, object)
	return nil
}

func Example() {
	p, err := provision.New(provision.Config{
		BaseURL: "https://prov.example.org/p/",
		Store:   &provisiontest.Memory{},
		Auditor: printer{},
		Settings: func(_ context.Context, d provision.Device) (provision.Settings, error) {
			return provision.Settings{Server: "sip.example.org", DisplayName: "Reception", Password: provision.NewSecret("of " + d.User)}, nil
		},
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/p/", http.StripPrefix("/p", p))

	ticket, err := p.Enroll(context.Background(), provision.Device{ID: "00:15:65:AA:BB:CC", Family: provision.Yealink, Realm: "acme", User: "1001"}, time.Hour)
	if err != nil {
		panic(err)
	}
	fmt.Println("in a log:", ticket.URL)
	file := ticket.URL.ExportSecret() + "001565aabbcc.cfg"
	for _, address := range []string{strings.Replace(file, "https:", "http:", 1), file, file} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, address, nil))
		fmt.Println(strings.SplitN(address, ":", 2)[0], w.Code, w.Body.Len() > 0)
	}
	// Output:
	// audit: provision.enroll 001565aabbcc
	// in a log: [redacted]
	// http 403 false
	// audit: provision.fetch 001565aabbcc
	// https 200 true
	// https 404 false
}
