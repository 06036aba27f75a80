package vectors

func lengthZero(c *Case) {
	c.What = "A head that claims no ciphertext."
	copy(c.Segments[1], be32(0))
}
