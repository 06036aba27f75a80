package vectors

func lengthOneMore(c *Case) {
	c.What = "A head that claims one byte more."
	copy(c.Segments[1], be32(uint32(len(c.Segments[1])-4+1)))
}
