package vectors

import "slices"

func indexTooShort(c *Case) {
	c.What = "An index without its last entry, made with the key."
	c.Final(slices.Concat(Record(5, 255, 0, 0, c.Plain[3][12:36]), c.Plain[3][48:]))
	c.Resign = true
}
