package vectors

func lengthOversized(c *Case) {
	c.What = "A head that claims 2 GiB."
	copy(c.Segments[1], be32(1<<31-1))
}
