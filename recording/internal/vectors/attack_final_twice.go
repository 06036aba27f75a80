package vectors

func finalTwice(c *Case) {
	c.What = "Segment 2 made with the key as a final one, and another final one after it."
	c.Segments[2] = c.Row.Segment(2, true, uint64(len(c.Header)+len(c.Segments[0])+len(c.Segments[1])), c.Plain[2])
}
