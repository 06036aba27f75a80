package vectors

func manifestSignature(c *Case) {
	c.What = "A bit of the signature."
	c.Row.Signature[0] ^= 1
}
