package vectors

func appendFinalSegment(c *Case) {
	c.What = "The final segment twice."
	c.Segments = append(c.Segments, c.Segments[3])
}
