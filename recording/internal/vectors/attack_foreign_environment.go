package vectors

func foreignEnvironment(c *Case) {
	c.What = "Read in another environment."
	c.Expect = "key"
	c.Environment = "production"
}
