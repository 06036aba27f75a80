package vectors

func rowCountsFewer(c *Case) {
	c.What = "The row counts one segment fewer."
	c.Row.Segments--
}
