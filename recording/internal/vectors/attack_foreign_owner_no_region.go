package vectors

func foreignOwnerNoRegion(c *Case) {
	c.What = "Owner and region exchanged with one another's ends: the encoding must not be ambiguous."
	c.Expect = "key"
	c.Owner, c.Region = "acmee", "u"
}
