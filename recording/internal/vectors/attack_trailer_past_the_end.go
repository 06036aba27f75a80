package vectors

func trailerPastTheEnd(c *Case) {
	c.What = "The trailer points past the end."
	copy(c.Segments[3][len(c.Segments[3])-8:], be64(1<<40))
}
