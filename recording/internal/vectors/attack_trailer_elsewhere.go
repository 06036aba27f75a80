package vectors

func trailerElsewhere(c *Case) {
	c.What = "The trailer points to segment 2."
	at := c.Segments[3][len(c.Segments[3])-8:]
	copy(at, be64(uint64(len(c.Header)+len(c.Segments[0])+len(c.Segments[1]))))
}
