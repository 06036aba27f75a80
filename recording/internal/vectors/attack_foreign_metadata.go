package vectors

func foreignMetadata(c *Case) {
	c.What = "The metadata of another recording."
	c.Expect = "key"
	c.Row.Meta = newCase("r2", 0x22).Row.Meta
}
