package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ringfence/ringfence/recording"
)

// exportFormats are the formats by their names on the command line.
var exportFormats = func() map[string]recording.Format {
	m := map[string]recording.Format{}
	for _, f := range []recording.Format{recording.WAV, recording.WAVALaw, recording.WAVULaw, recording.FLAC, recording.OggOpus} {
		m[f.String()] = f
	}
	return m
}()

type recordingsExport struct {
	who
	ID      string `arg:"" help:"The recording."`
	Out     string `short:"o" help:"File to write; - is standard output. Plaintext audio: mind where it goes." default:"-"`
	Receipt string `help:"File for the signed receipt. Without it: OUT.receipt, or standard error when the audio goes to standard output."`
	Format  string `help:"wav, wav-alaw, wav-ulaw, flac, or ogg-opus for what was recorded as Opus." default:"wav" enum:"wav,wav-alaw,wav-ulaw,flac,ogg-opus"`
	Party   int    `help:"One party alone: 1 is the caller, 2 the agent. 0: both, caller left, agent right." default:"0"`
	Reason  string `help:"Why, such as the number of a complaint; it is kept in the audit log and in the receipt." default:"not said"`
}

func (c recordingsExport) Run(a *app) error {
	return withAccess(a, c.who, func(ac *actor, access *recording.Access) error {
		layout := recording.Layout{Format: exportFormats[c.Format], Stream: recording.Only(c.Party - 1)}
		if c.Receipt == "" && c.Out != "-" {
			c.Receipt = c.Out + ".receipt"
		}
		var receipt recording.Receipt
		err := writeNew(c.Out, a.stdout, func(w io.Writer) (err error) {
			receipt, err = access.Because(c.Reason).ExportSigned(a.ctx, c.ID, w, layout)
			return err
		})
		if err != nil {
			return err
		}
		text := func(w io.Writer) error {
			_, err := w.Write(receipt.Text())
			return err
		}
		if c.Receipt == "" {
			return text(a.stderr)
		}
		if err := writeNew(c.Receipt, a.stdout, text); err != nil {
			return err
		}
		if c.Out == "-" {
			return nil
		}
		keys, err := ac.dep.keysOf(a.ctx, ac.tenant.Name())
		if err != nil {
			return err
		}
		public, err := keys.PublicKey(a.ctx)
		if err != nil {
			return err
		}
		printExport(a, receipt)
		fmt.Fprintf(a.stdout, "receipt %s\npublic key %s\n", c.Receipt, base64.StdEncoding.EncodeToString(public))
		return nil
	})
}

// writeNew lets f write a file that does not exist yet, and removes it if that fails; - is stdout.
func writeNew(path string, stdout io.Writer, f func(io.Writer) error) error {
	if path == "-" {
		return f(stdout)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f(file), file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func printExport(a *app, r recording.Receipt) {
	fmt.Fprintf(a.stdout, "exported %s as %s, %d bytes, sha256 %x\n", r.ID, r.Layout.Format, r.Bytes, r.SHA256)
	for _, s := range r.Withheld {
		fmt.Fprintf(a.stdout, "withheld %v\n", s)
	}
}

type recordingsCheck struct {
	File    string `arg:"" help:"The exported file."`
	Receipt string `help:"Its receipt; without it, FILE.receipt."`
	Public  string `required:"" help:"Public key of who exported it, base64."`
}

func (c recordingsCheck) Run(a *app) error {
	public, err := base64.StdEncoding.DecodeString(c.Public)
	if err != nil || len(public) != ed25519.PublicKeySize {
		return errors.New("--public is not an Ed25519 key in base64")
	}
	if c.Receipt == "" {
		c.Receipt = c.File + ".receipt"
	}
	receipt, err := os.ReadFile(c.Receipt)
	if err != nil {
		return err
	}
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	r, err := recording.VerifyExport(public, receipt, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err // ErrTampered is errBad's exit code
	}
	printExport(a, r)
	fmt.Fprintf(a.stdout, "ok  %s by %s on %s: %s\n", r.Place.Owner, r.Actor, r.Exported.Format("2006-01-02T15:04:05Z"), r.Reason)
	return nil
}
