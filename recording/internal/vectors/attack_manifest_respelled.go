package vectors

func manifestRespelled(c *Case) {
	c.What = "A line feed after the manifest, signed so."
	c.Row.Manifest = append(c.Row.Manifest, 10)
	c.Row.Sign()
}
