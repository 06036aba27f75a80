package vectors

import "slices"

func summaryTooShortACall(c *Case) {
	c.What = "A summary whose length ends before the audio, made with the key."
	p := c.Plain[3]
	c.Final(append(slices.Clone(p[:len(p)-32]), Summary(24159, 4, 4, 0)...))
	c.Resign = true
}
