package vectors

func manifestSaysIncomplete(c *Case) {
	c.What = "The row says complete and the manifest incomplete."
	c.Row.State = 3
	c.sign()
	c.Row.State = 2
}
