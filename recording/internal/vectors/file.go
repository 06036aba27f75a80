package vectors

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Attack is one way to be wrong.
type Attack struct {
	Name  string // of the file, and of the function's file
	Apply func(c *Case)
}

// File returns the content of an attack's file: lines of name and value, an empty line, and the blob in base64.
func File(a Attack) []byte {
	c := New()
	c.sign()
	a.Apply(c)
	if c.Resign {
		c.sign()
	}
	row := must(json.Marshal(c.Row))
	return fmt.Appendf(nil, "expect: %s\nwhat: %s\nid: %s\nowner: %s\npurpose: %s\nregion: %s\nenvironment: %s\nrow: %s\n\n%s", c.Expect, c.What, c.ID, c.Owner, c.Purpose, c.Region,
		c.Environment, row, wrapLines(base64.StdEncoding.EncodeToString(c.bytes())))
}
