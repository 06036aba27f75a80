package vectors

func foreignOwner(c *Case) {
	c.What = "Read as another owner's."
	c.Expect = "key"
	c.Owner = "globex"
}
