package vectors

func foreignPurpose(c *Case) {
	c.What = "Read for another purpose."
	c.Expect = "key"
	c.Purpose = "voicemail"
}
