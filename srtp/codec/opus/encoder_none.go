//go:build !opus || !cgo

package opus

import "github.com/ringfence/ringfence/srtp/codec"

// Available reports that this program can encode Opus: that it was built with the tag "opus" and cgo.
func Available() bool { return false }

func newEncoder(Config) (codec.Encoder, error) { return nil, ErrNoEncoder }
