# expect: 2: invalid name
flow "X x" {
  language = "en"
  start = "bye"
  hangup "bye" {}
}
