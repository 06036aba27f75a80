package vectors

func headerVersion1(c *Case) {
	c.What = "The header of version 1 before segments of version 2."
	c.Header = append([]byte{82, 70, 82, 67, 1}, c.Header[5:40]...)
}
