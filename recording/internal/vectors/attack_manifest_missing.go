package vectors

func manifestMissing(c *Case) {
	c.What = "No manifest."
	c.Row.Manifest, c.Row.Signature = nil, nil
}
