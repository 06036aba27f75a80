package vectors

func truncateInCiphertext(c *Case) {
	c.What = "Cut inside the ciphertext of segment 2."
	c.Expect = "truncated"
	c.Blob = c.bytes()[:len(c.bytes())-len(c.Segments[3])-9]
}
