package event_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip/event"
)

func Example() {
	body, err := event.MessageSummary{Account: "sip:1001@example.com", Voice: event.Count{New: 2, Old: 8, UrgentOld: 2}}.Body()
	if err != nil {
		panic(err)
	}
	fmt.Print(strings.ReplaceAll(string(body), "\r\n", "\n"))
	// Output:
	// Messages-Waiting: yes
	// Message-Account: sip:1001@example.com
	// Voice-Message: 2/8 (0/2)
}

func TestMessageSummary(t *testing.T) {
	body, err := event.MessageSummary{Voice: event.Count{Old: 3, New: -1}}.Body()
	require.NoError(t, err)
	require.Equal(t, "Messages-Waiting: no\r\nVoice-Message: 0/3 (0/0)\r\n", string(body))
	_, err = event.MessageSummary{Account: "sip:a@b\r\nVoice-Message: 9/9"}.Body()
	require.ErrorIs(t, err, event.ErrText, "an account must not write lines of its own")
}

func TestRegInfo(t *testing.T) {
	body, err := event.RegInfo{AOR: "sip:1001@example.com", ID: "a7", Contacts: []event.Contact{
		{ID: "76", Event: "refreshed", URI: "sip:1001@192.0.2.1?x=<&>", Expires: 3600, Q: 800, PubGRUU: "sip:1001@example.com;gr=urn:uuid:1", Agent: `"<Phone>"`},
		{ID: "77", Event: "expired", URI: "sip:1001@192.0.2.2", Expires: -1, Q: 1000},
	}}.Body(4)
	require.NoError(t, err)
	var doc struct {
		XMLName xml.Name
		Version int    `xml:"version,attr"`
		State   string `xml:"state,attr"`
		Reg     struct {
			AOR      string `xml:"aor,attr"`
			State    string `xml:"state,attr"`
			Contacts []struct {
				ID      string `xml:"id,attr"`
				State   string `xml:"state,attr"`
				Event   string `xml:"event,attr"`
				Expires string `xml:"expires,attr"`
				Q       string `xml:"q,attr"`
				URI     string `xml:"uri"`
				Pub     struct {
					URI string `xml:"uri,attr"`
				} `xml:"urn:ietf:params:xml:ns:gruuinfo pub-gruu"`
			} `xml:"contact"`
		} `xml:"registration"`
	}
	require.NoError(t, xml.Unmarshal(body, &doc), string(body))
	require.Equal(t, "urn:ietf:params:xml:ns:reginfo", doc.XMLName.Space)
	require.Equal(t, 4, doc.Version)
	require.Equal(t, "full", doc.State)
	require.Equal(t, "active", doc.Reg.State)
	require.Equal(t, "sip:1001@192.0.2.1?x=<&>", doc.Reg.Contacts[0].URI)
	require.Equal(t, "0.8", doc.Reg.Contacts[0].Q)
	require.Equal(t, "3600", doc.Reg.Contacts[0].Expires)
	require.Equal(t, "sip:1001@example.com;gr=urn:uuid:1", doc.Reg.Contacts[0].Pub.URI)
	require.Equal(t, "terminated", doc.Reg.Contacts[1].State)
	require.Empty(t, doc.Reg.Contacts[1].Expires)

	body, err = event.RegInfo{AOR: "sip:1001@example.com", ID: "a7"}.Body(0)
	require.NoError(t, err)
	require.Contains(t, string(body), `state="terminated"`, "nobody is registered")
}

func TestDialogInfo(t *testing.T) {
	body, err := event.DialogInfo{Entity: "sip:1001@example.com", Partial: true, Dialogs: []event.Dialog{
		{ID: "d1", State: "early", Incoming: true, Remote: "sip:+49@example.com", RemoteName: `A "B" <c>`}, {ID: "d2", State: "terminated"},
	}}.Body(7)
	require.NoError(t, err)
	var doc struct {
		Version int    `xml:"version,attr"`
		State   string `xml:"state,attr"`
		Entity  string `xml:"entity,attr"`
		Dialogs []struct {
			ID        string `xml:"id,attr"`
			Direction string `xml:"direction,attr"`
			State     string `xml:"state"`
			Remote    struct {
				Identity struct {
					Display string `xml:"display,attr"`
					URI     string `xml:",chardata"`
				} `xml:"identity"`
			} `xml:"remote"`
		} `xml:"dialog"`
	}
	require.NoError(t, xml.Unmarshal(body, &doc), string(body))
	require.Equal(t, 7, doc.Version)
	require.Equal(t, "partial", doc.State)
	require.Equal(t, "recipient", doc.Dialogs[0].Direction)
	require.Equal(t, "early", doc.Dialogs[0].State)
	require.Equal(t, `A "B" <c>`, doc.Dialogs[0].Remote.Identity.Display)
	require.Equal(t, "sip:+49@example.com", doc.Dialogs[0].Remote.Identity.URI)
	require.Equal(t, "initiator", doc.Dialogs[1].Direction)
	require.NotContains(t, strings.SplitN(string(body), "d2", 2)[1], "remote", "what is not told is not there")
}

func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	for name, body := range map[string]func(int) ([]byte, error){
		"no id":             event.RegInfo{AOR: "sip:a@b"}.Body,
		"id with a quote":   event.RegInfo{AOR: "sip:a@b", ID: `"`}.Body,
		"control character": event.RegInfo{AOR: "sip:a@b\x01", ID: "a"}.Body,
		"unknown event":     event.RegInfo{AOR: "sip:a@b", ID: "a", Contacts: []event.Contact{{ID: "c", Event: "made up"}}}.Body,
		"unknown state":     event.DialogInfo{Entity: "sip:a@b", Dialogs: []event.Dialog{{ID: "c", State: "made up"}}}.Body,
		"not UTF-8":         event.DialogInfo{Entity: "sip:\xff@b"}.Body,
	} {
		_, err := body(0)
		require.True(t, errors.Is(err, event.ErrText), name)
	}
}
