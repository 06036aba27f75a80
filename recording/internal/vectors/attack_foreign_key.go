package vectors

func foreignKey(c *Case) {
	c.What = "The envelope of another recording."
	c.Expect = "key"
	c.Row.WrappedKey = newCase("r2", 0x22).Row.WrappedKey
}
