package voicemail_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording/voicemail"
)

func TestTrivialPINs(t *testing.T) {
	for pin, ok := range map[string]bool{
		"271828": true, "918273": true, "100200": true, "123457": true, "12345": false, "1234567890123": false, "": false, "27182a": false, "000000": false,
		"121212": false, "123123": false, "123456": false, "890123": false, "654321": false, "10011001": false, "241001": false, "100172": false, "2711001": false,
	} {
		err := voicemail.NewPIN(pin).Check("1001")
		if ok != (err == nil) || (err != nil && !errors.Is(err, voicemail.ErrPIN)) {
			t.Errorf("%q: %v", pin, err)
		}
		if err != nil && pin != "" && strings.Contains(err.Error(), pin) {
			t.Errorf("the error repeats the PIN: %v", err)
		}
	}
	for range 50 {
		if p := voicemail.GeneratePIN("1001"); p.Check("1001") != nil || len(p.ExportSecret()) != 8 {
			t.Errorf("generated %q", p.ExportSecret())
		}
	}
}

func TestPINsCannotBePrinted(t *testing.T) {
	p := voicemail.NewPIN(goodPIN)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "pin", p, "in", voicemail.Command{PIN: p})
	j, err := json.Marshal(map[string]any{"pin": p, "command": voicemail.Command{PIN: p}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(p), fmt.Sprintf("%s %v %+v %#v %d %q %x", p, p, p, p, p, p, p), fmt.Sprintf("%+v %#v", voicemail.Command{PIN: p}, &p), log.String(), string(j)} {
		if strings.Contains(s, goodPIN) || !strings.Contains(s, "redacted") {
			t.Errorf("printed: %s", s)
		}
	}
}

func TestBoxes(t *testing.T) {
	now := time.Now()
	good := voicemail.NewPIN(goodPIN)
	for _, c := range []struct {
		number, zone string
		pin          voicemail.PIN
		err          error
	}{{"", "", good, voicemail.ErrInvalid}, {"10a", "", good, voicemail.ErrInvalid}, {"12345678901234567", "", good, voicemail.ErrInvalid},
		{"1001", "Mars/Olympus", good, voicemail.ErrInvalid}, {"1001", "", voicemail.NewPIN("111111"), voicemail.ErrPIN}, {"1001", "Europe/Berlin", good, nil}} {
		b, err := voicemail.NewBox(c.number, c.zone, c.pin, now)
		if !errors.Is(err, c.err) {
			t.Errorf("%+v: %v", c, err)
		}
		if err == nil && (!strings.HasPrefix(b.Hash, "$argon2id$") || strings.Contains(b.Hash, goodPIN)) {
			t.Errorf("hash %q", b.Hash)
		}
	}
	a, _ := voicemail.NewBox("1001", "", good, now)
	b, _ := voicemail.NewBox("1001", "", good, now)
	if a.Hash == b.Hash {
		t.Error("two hashes under one salt")
	}
}
