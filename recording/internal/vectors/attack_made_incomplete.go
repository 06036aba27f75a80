package vectors

func madeIncomplete(c *Case) {
	c.What = "Cut before the final segment and called incomplete in the row."
	c.Segments = c.Segments[:3]
	c.Row.State, c.Row.Segments = 3, 3
}
