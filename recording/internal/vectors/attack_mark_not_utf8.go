package vectors

func markNotUtf8(c *Case) {
	c.What = "A mark whose text is not UTF-8, made with the key."
	c.Replace(1, append(Audio(0, 0, 8000, make([]byte, 147)), Record(2, 255, 4, 8000, []byte{0xff})...))
	c.Resign = true
}
