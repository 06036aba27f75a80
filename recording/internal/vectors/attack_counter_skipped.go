package vectors

func counterSkipped(c *Case) {
	c.What = "Segment 2 made with the key for place 3."
	c.Segments[2] = c.Row.Segment(3, false, 0, c.Plain[2])
}
