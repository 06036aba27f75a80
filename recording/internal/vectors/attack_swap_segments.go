package vectors

func swapSegments(c *Case) {
	c.What = "Segments 1 and 2 exchanged; they have one length."
	c.Segments[1], c.Segments[2] = c.Segments[2], c.Segments[1]
}
