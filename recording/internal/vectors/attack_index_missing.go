package vectors

func indexMissing(c *Case) {
	c.What = "A final segment without its index, made with the key."
	c.Final(c.Plain[3][48:])
	c.Resign = true
}
