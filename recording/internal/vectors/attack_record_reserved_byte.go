package vectors

import "slices"

func recordReservedByte(c *Case) {
	c.What = "A reserved byte that is not zero, made with the key."
	p := slices.Clone(c.Plain[1])
	p[3] = 1
	c.Replace(1, p)
	c.Resign = true
}
