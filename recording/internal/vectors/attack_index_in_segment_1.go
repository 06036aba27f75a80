package vectors

func indexInSegment1(c *Case) {
	c.What = "An index where none belongs, made with the key."
	c.Replace(1, append(Record(5, 255, 0, 0, make([]byte, 12)), Audio(0, 0, 8000, make([]byte, 136))...))
	c.Resign = true
}
