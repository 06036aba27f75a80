package recording

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Request is what a PlaybackHandler is to play.
type Request struct {
	Access *Access // of whoever asks, with the reason. Required
	ID     string  // the recording. Required
	Layout Layout  // If zero, stereo WAV
}

// PlaybackHandler plays recordings over HTTP, by range, so that a browser's player seeks in them. resolve says who asks for which recording; its error is
// answered with 403 and nothing else.
//
// Every answer says no-store and inline: what is heard is not kept by anything that obeys. Asked with the query download=1 it gives a file, which takes
// recording.download instead of recording.listen; without that right there is no way to an attachment. A listener can always record the loudspeaker: the
// right, the reason and the audit log are the control, not the header. What Config.Flagger flags is silence, as for
// Access.Open. Each request is authorised, recorded and counted for Config.Bulk; a segment that is not what was written cuts the answer off.
func PlaybackHandler(resolve func(*http.Request) (Request, error)) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w := &transient{ResponseWriter: out}
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		req, err := resolve(r)
		if err != nil || req.Access == nil {
			http.Error(w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
			return
		}
		action, disposition := ActionListen, "inline"
		if r.URL.Query().Get("download") == "1" {
			action, disposition = ActionDownload, `attachment; filename="recording.wav"` // no ID: names of files are logged
		}
		if err := req.play(r.Context(), w, r, action, disposition); err != nil {
			status := httpStatus(err)
			h.Del("Content-Disposition")
			http.Error(w, http.StatusText(status), status) // the reason is for the audit log and the operator, not for a stranger
		}
	})
}

// transient says no-store whatever else was said: net/http takes Cache-Control off some of its errors.
type transient struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader sends the headers.
func (t *transient) WriteHeader(status int) {
	t.begun = true
	h := t.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	t.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body.
func (t *transient) Write(b []byte) (int, error) {
	if !t.begun {
		t.WriteHeader(http.StatusOK)
	}
	return t.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (t *transient) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// play answers, or returns an error with nothing written.
func (q Request) play(ctx context.Context, w http.ResponseWriter, r *http.Request, action, disposition string) error {
	p, err := q.Access.open(ctx, action, q.ID, false)
	if err != nil {
		return err
	}
	defer p.Close()
	audio, err := p.Audio(q.Layout)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", disposition)
	w.Header().Set("Content-Type", "audio/wav")
	http.ServeContent(w, r, "", time.Time{}, audio)
	return nil
}

func httpStatus(err error) int {
	switch {
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrDestroyed):
		return http.StatusGone
	case errors.Is(err, ErrBulk):
		return http.StatusTooManyRequests
	case errors.Is(err, ErrTampered), errors.Is(err, ErrTruncated), errors.Is(err, ErrKey), errors.Is(err, ErrTooLong), errors.Is(err, ErrCodec):
		return http.StatusInternalServerError
	}
	return http.StatusForbidden // not allowed, not recorded, no reason
}
