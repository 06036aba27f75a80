package sip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strings"
)

// Attachment is a body that travels beside the session description, such as the location of an emergency caller (RFC 6442).
type Attachment struct {
	// ContentType is the media type of Body, "application/pidf+xml". Required.
	ContentType string
	// ContentID is what a cid: URI in a header refers to, without angle brackets. If empty, there is none.
	ContentID string
	// Body is sent as it is. Required.
	Body []byte
}

const sdpType = "application/sdp"

// compose makes the body of an INVITE and its Content-Type: the session description alone, or multipart/mixed (RFC 5621) with attachments.
func compose(sdp []byte, attached []Attachment) (contentType string, body []byte, err error) {
	if len(attached) == 0 {
		return sdpType, sdp, nil
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part := func(contentType, id string, body []byte) error {
		h := textproto.MIMEHeader{"Content-Type": {contentType}}
		if id != "" {
			h.Set("Content-ID", "<"+id+">")
		}
		p, err := w.CreatePart(h)
		if err != nil {
			return err
		}
		_, err = p.Write(body)
		return err
	}
	if err := part(sdpType, "", sdp); err != nil {
		return "", nil, err
	}
	for _, a := range attached {
		if err := errors.Join(checkText(a.ContentType), checkText(a.ContentID)); err != nil || a.ContentType == "" || strings.ContainsAny(a.ContentID, "<>") {
			return "", nil, fmt.Errorf("%w: attachment %q", ErrMalformed, a.ContentType)
		}
		if err := part(a.ContentType, a.ContentID, a.Body); err != nil {
			return "", nil, err
		}
	}
	if err := w.Close(); err != nil {
		return "", nil, err
	}
	return "multipart/mixed;boundary=" + w.Boundary(), b.Bytes(), nil
}

// maxParts bounds the parts that are looked at: carriers send a session description, a location and an ISUP body at most.
const maxParts = 8

// sessionOf finds the session description in a body. ok is false for a body that has none and is not empty.
func sessionOf(contentType string, body []byte) (sdp []byte, ok bool) {
	if len(body) == 0 {
		return nil, true
	}
	kind, params, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return nil, false
	case kind == sdpType:
		return body, true
	case kind != "multipart/mixed" || params["boundary"] == "":
		return nil, false
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for range maxParts {
		p, err := r.NextRawPart()
		if err != nil {
			return nil, false
		}
		if t, _, err := mime.ParseMediaType(p.Header.Get("Content-Type")); err != nil || t != sdpType {
			continue
		}
		b, err := io.ReadAll(p) // no longer than the message, which is bounded
		return b, err == nil && len(b) > 0
	}
	return nil, false
}
