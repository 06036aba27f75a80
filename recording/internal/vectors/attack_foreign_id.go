package vectors

func foreignId(c *Case) {
	c.What = "Row and blob under another ID."
	c.Expect = "key"
	c.ID, c.Row.ID = "r9", "r9"
}
