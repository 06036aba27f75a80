package vectors

func lengthOverTheLimit(c *Case) {
	c.What = "A head that claims one byte more than there can be."
	copy(c.Segments[1], be32(262_144+16+1))
}
