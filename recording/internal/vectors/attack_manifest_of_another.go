package vectors

func manifestOfAnother(c *Case) {
	c.What = "The manifest of another recording."
	o := newCase("r2", 0x22)
	o.sign()
	c.Row.Manifest, c.Row.Signature = o.Row.Manifest, o.Row.Signature
}
