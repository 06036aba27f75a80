package vectors

func foreignKeyRewrapped(c *Case) {
	c.What = "Another key, wrapped for this recording."
	c.Expect = "key"
	o := newCase("r1", 0x22)
	c.Row.WrappedKey = o.Row.WrappedKey
}
