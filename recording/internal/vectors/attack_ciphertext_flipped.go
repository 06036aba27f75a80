package vectors

func ciphertextFlipped(c *Case) {
	c.What = "A bit of the ciphertext of segment 1."
	c.Segments[1][20] ^= 1
}
