package vectors

func counterOverflow(c *Case) {
	c.What = "Segment 2 made with the key for place 2^32 - 1."
	c.Segments[2] = c.Row.Segment(1<<32-1, false, 0, c.Plain[2])
}
