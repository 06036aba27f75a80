package speech

// Plain is what the program would be told to speak.
var Plain = plain
