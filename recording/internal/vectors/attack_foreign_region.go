package vectors

func foreignRegion(c *Case) {
	c.What = "Read in another region."
	c.Expect = "key"
	c.Region = "us"
}
