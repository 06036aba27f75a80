package vectors

func manifestOfAnotherPlace(c *Case) {
	c.What = "Signed for another owner."
	c.Row.Owner = "globex"
	c.sign()
	c.Row.Owner = "acme"
}
