package vectors

func lengthUnderTheTag(c *Case) {
	c.What = "A head that claims less than a tag."
	copy(c.Segments[1], be32(15))
}
